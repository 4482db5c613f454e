-- Deletes the entry, where ARGV[1] is given only if it has exactly these bytes.
-- Answers 1 deleted, 0 nothing there or other bytes.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return 0 end
if kind ~= 'string' then return redis.error_reply('HWTYPE foreign type') end
if ARGV[1] and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
