-- hallway:copy:fill
-- Writes a copy if the lease still stands. KEYS[1] copy; ARGV[1] token; ARGV[2] bytes; ARGV[3] TTL in ms, or '' for none.
-- Answers 1 written, 0 not.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if found ~= 'L' .. ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
