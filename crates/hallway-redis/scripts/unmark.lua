-- hallway:copy:unmark
-- Ends one writer's marker and whatever copy or lease stands there; markers of others stay.
-- KEYS[1] copy; ARGV[1] writer. Answers 1 if markers are left, else 0.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if not found then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local markers, latest, own = 'M', 0, false
if string.byte(found, 1) == 77 then
  for writer, deadline in string.gmatch(found, '(%x+):(%d+);') do
    local at = tonumber(deadline)
    if writer == ARGV[1] then
      own = true
    elseif at > now then
      markers = markers .. writer .. ':' .. deadline .. ';'
      if at > latest then latest = at end
    end
  end
end
if latest == 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
-- Nothing to write without an own marker: a full server could not, and others need not hear of it.
if own then redis.call('SET', KEYS[1], markers, 'PX', string.format('%.0f', latest - now)) end
return 1
