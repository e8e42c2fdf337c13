-- A body of `size` bytes in chunks of 1 KB.
function init(args)
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.headers["Transfer-Encoding"] = "chunked"
  local head = wrk.format("POST", nil)
  local chunk = "400\r\n" .. string.rep("x", 1024) .. "\r\n"
  whole = head .. string.rep(chunk, size / 1024) .. "0\r\n\r\n"
end

function request()
  return whole
end
