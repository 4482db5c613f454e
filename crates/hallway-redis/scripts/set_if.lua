-- Replaces value and TTL under a condition on the live entry.
-- KEYS[1] entry; ARGV[1] value; ARGV[2] TTL in ms, or '' for none; ARGV[3] 'present', or 'equals' with ARGV[4] the expected bytes.
-- Answers 1 written, 0 condition not met.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return 0 end
if kind ~= 'string' then return redis.error_reply('HWTYPE foreign type') end
if ARGV[3] == 'equals' and redis.call('GET', KEYS[1]) ~= ARGV[4] then return 0 end
if ARGV[2] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
