-- Gives the live entry a new TTL of ARGV[1] ms, or none for ''. Answers 1 if there was an entry.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return 0 end
if kind ~= 'string' then return redis.error_reply('HWTYPE foreign type') end
if ARGV[1] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 1
