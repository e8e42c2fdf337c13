-- Asks for one of `clients` clients after the other, as a proxy in front would, beginning with the `first`;
-- `pipelined` requests in each write.
function init(args)
  at = first
  wrk.headers["X-Forwarded-For"] = "MARK"
  local marked = wrk.format("GET", nil)
  local from, to = marked:find("MARK", 1, true)
  before, after = marked:sub(1, from - 1), marked:sub(to + 1)
end

local function address(number)
  return string.format("10.%d.%d.%d", math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
end

-- One client after the other where each must come by; scattered where they are many and come back.
local function next_one()
  at = (at + (pipelined > 1 and 1 or 7919)) % clients
  return before .. address(at) .. after
end

function request()
  if pipelined == 1 then
    return next_one()
  end
  local some = {}
  for i = 1, pipelined do
    some[i] = next_one()
  end
  return table.concat(some)
end
