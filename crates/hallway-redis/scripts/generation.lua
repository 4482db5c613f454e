-- hallway:copy:generation
-- The generation, made anew if there is none. KEYS[1] generation; ARGV[1] new id, 16 hex digits. Answers the id.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if found and #found == 16 and string.match(found, '^[%da-f]+$') then return found end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
