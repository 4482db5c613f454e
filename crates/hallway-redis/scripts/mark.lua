-- hallway:copy:mark
-- Adds or renews a write marker, whatever else stands there. KEYS[1] copy; ARGV[1] writer; ARGV[2] life in ms.
-- Markers read M<writer>:<deadline in ms of the server's clock>;... and live as long as the last of them. Answers 1.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local latest = now + tonumber(ARGV[2])
local markers = string.format('M%s:%.0f;', ARGV[1], latest)
if found and string.byte(found, 1) == 77 then
  for writer, deadline in string.gmatch(found, '(%x+):(%d+);') do
    local at = tonumber(deadline)
    if writer ~= ARGV[1] and at > now then
      markers = markers .. writer .. ':' .. deadline .. ';'
      if at > latest then latest = at end
    end
  end
end
redis.call('SET', KEYS[1], markers, 'PX', string.format('%.0f', latest - now))
return 1
