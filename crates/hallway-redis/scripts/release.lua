-- hallway:copy:release
-- Gives a lease or a marker back, and touches nothing else. KEYS[1] copy; ARGV[1] token. Answers 1 if it stood, else 0.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if not found then return 0 end
if found == 'L' .. ARGV[1] then return redis.call('DEL', KEYS[1]) end
if string.byte(found, 1) ~= 77 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local markers, latest, own = 'M', 0, false
for writer, deadline in string.gmatch(found, '(%x+):(%d+);') do
  local at = tonumber(deadline)
  if writer == ARGV[1] then
    own = true
  elseif at > now then
    markers = markers .. writer .. ':' .. deadline .. ';'
    if at > latest then latest = at end
  end
end
if not own then return 0 end
if latest == 0 then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], markers, 'PX', string.format('%.0f', latest - now))
return 1
