-- Asks for hosts at random, of as many as its argument says.
local count

function init(arguments)
  count = tonumber(arguments[1])
end

function request()
  local one = math.random(0, count - 1)
  return wrk.format("GET", "/p" .. one .. "/x", { Host = "h" .. one .. ".bench.example" })
end
