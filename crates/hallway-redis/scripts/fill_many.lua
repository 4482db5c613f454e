-- hallway:copy:fill_many
-- Writes copies whose leases still stand. KEYS copies; ARGV token, bytes and TTL in ms of each.
-- Answers 1 written, 0 not, for each.
local found = redis.call('MGET', unpack(KEYS))
local filled = {}
for at, key in ipairs(KEYS) do
  if found[at] == 'L' .. ARGV[3 * at - 2] then
    redis.call('SET', key, ARGV[3 * at - 1], 'PX', ARGV[3 * at])
    filled[at] = 1
  else
    filled[at] = 0
  end
end
return filled
