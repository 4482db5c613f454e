-- hallway:copy:fill:mutant_no_lease_compare
-- A deliberate mistake: writes under anybody's lease. KEYS[1] copy; ARGV[1] token; ARGV[2] bytes; ARGV[3] TTL in ms, or '' for none.
-- Answers 1 written, 0 not.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if not found or string.byte(found, 1) ~= 76 then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
