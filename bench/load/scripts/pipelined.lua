-- Sixteen requests in each write.
function init(args)
  local one = wrk.format("GET", nil)
  sixteen = string.rep(one, 16)
end

function request()
  return sixteen
end
