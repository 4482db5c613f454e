-- Reads and deletes. A value over ARGV[1] bytes stays: the caller could not keep it.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return false end
if kind ~= 'string' then return redis.error_reply('HWTYPE foreign type') end
local length = redis.call('STRLEN', KEYS[1])
if length > tonumber(ARGV[1]) then return redis.error_reply('HWSIZE ' .. string.format('%.0f', length)) end
local value = redis.call('GET', KEYS[1])
redis.call('UNLINK', KEYS[1])
return value
