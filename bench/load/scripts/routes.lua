-- A path of ten thousand after the other, in a scattered order.
function init(args)
  paths = {}
  for i = 0, 9999 do
    paths[i] = wrk.format("GET", string.format("/api/r%05d/1", i))
  end
  at = 0
end

function request()
  at = (at + 7919) % 10000
  return paths[at]
end
