-- hallway:copy:fill
-- Writes a copy if the lease still stands. KEYS[1] copy; ARGV[1] token; ARGV[2] bytes; ARGV[3] TTL in ms, or '' for none;
-- ARGV[4] the life that the lease was given in ms: what of it has passed is taken off the TTL; nothing if it is 0.
-- Answers 1 written, 0 not.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if found ~= 'L' .. ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
  return 1
end
if ARGV[4] == '0' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
local passed = tonumber(ARGV[4]) - redis.call('PTTL', KEYS[1])
local ttl = tonumber(ARGV[3])
if passed > 0 then ttl = ttl - passed end
if ttl <= 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%d', ttl))
return 1
