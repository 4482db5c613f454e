-- hallway:copy:renew
-- Prolongs a lease that still stands. KEYS[1] copy; ARGV[1] token; ARGV[2] life in ms. Answers 1 if it stands, else 0.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if found ~= 'L' .. ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
