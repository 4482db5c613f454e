-- hallway:copy:release
-- Gives a lease back. KEYS[1] copy; ARGV[1] token. Answers 1 if it still stood, else 0.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if found ~= 'L' .. ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
