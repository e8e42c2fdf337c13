-- A body of `size` bytes, its length told beforehand.
function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.body = string.rep("x", size)
  whole = wrk.format()
end

function request()
  return whole
end
