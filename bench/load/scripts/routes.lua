-- One path of `asked` after the other, in a scattered order.
function init(args)
  paths = {}
  for i = 0, asked - 1 do
    paths[i] = wrk.format("GET", string.format("/api/r%05d/1", i))
  end
  at = 0
end

function request()
  at = (at + 7919) % asked
  return paths[at]
end
