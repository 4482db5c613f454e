-- hallway:copy:getl
-- Asks for the right to fill a copy.
-- KEYS[1] copy; ARGV[1] token; ARGV[2] life of the lease in ms; ARGV[3] id of a copy that counts as absent, or ''.
-- Answers {1, copy, PTTL}, {2, '', PTTL} while a lease or markers stand, {3, '', 0} when the lease is granted.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if found then
  local life = redis.call('PTTL', KEYS[1])
  if string.byte(found, 1) == 86 then
    local header = string.sub(found, 1, (string.find(found, '\n', 1, true) or 0) - 1)
    if ARGV[3] == '' or string.match(header, ' id=(%x+)') ~= ARGV[3] then return {1, found, life} end
  elseif life >= 0 and (string.match(found, '^L%x+$') or string.match(found, '^M[%x:;]+$')) then
    return {2, '', life}
  end
end
redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
return {3, '', 0}
