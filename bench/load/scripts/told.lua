-- What a run got, in one line for the program that started wrk.
function done(summary, latency, requests)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("told %d %d %d %d %d %.0f %.0f %.0f\n", summary.requests, errors.status, lost,
    summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
