-- hallway:copy:replace
-- Replaces a copy whose header still says `id=<seen>`.
-- KEYS[1] copy; ARGV[1] seen id; ARGV[2] bytes; ARGV[3] TTL in ms, or '' for none. Answers 1 written, 0 not.
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return found end
if not found or string.byte(found, 1) ~= 86 then return 0 end
local header = string.sub(found, 1, (string.find(found, '\n', 1, true) or 0) - 1)
if string.match(header, ' id=(%x+)') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
