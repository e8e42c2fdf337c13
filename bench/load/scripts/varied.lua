-- A thousand heads in turn of which no two have the same fields.
function init(args)
  heads = {}
  for i = 0, 999 do
    wrk.headers["X-Trace"] = string.format("%032x", i * 7919)
    heads[i] = wrk.format("GET", nil)
  end
  at = 0
end

function request()
  at = (at + 1) % 1000
  return heads[at]
end
