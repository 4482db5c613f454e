-- Adds ARGV[1] to a counter; a new one gets ARGV[1] and a TTL of ARGV[2] ms, or none for ''.
-- Answers the sum as text: a Lua number loses digits above 2^53.
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then
  if ARGV[2] == '' then
    redis.call('SET', KEYS[1], ARGV[1])
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  return ARGV[1]
end
if kind ~= 'string' then return redis.error_reply('HWTYPE foreign type') end
-- The longest canonical 64-bit integer has 20 characters.
if redis.call('STRLEN', KEYS[1]) > 20 then return redis.error_reply('HWNUMBER not a number') end
local text = redis.call('GET', KEYS[1])
if text ~= '0' and not string.match(text, '^%-?[1-9]%d*$') then return redis.error_reply('HWNUMBER not a number') end
local reply = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(reply) == 'table' and reply.err then
  if string.find(reply.err, 'overflow', 1, true) then return redis.error_reply('HWOVERFLOW sum out of range') end
  if string.find(reply.err, 'not an integer', 1, true) then return redis.error_reply('HWNUMBER not a number') end
  return reply
end
return redis.call('GET', KEYS[1])
