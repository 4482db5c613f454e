-- hallway:copy:read
-- The value with the rest of its life, where the server has no memory left to queue a transaction.
-- KEYS[1] any entry. Answers {value or false, PTTL}.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
return {found, redis.call('PTTL', KEYS[1])}
