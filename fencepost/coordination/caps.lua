-- TAKE: calls of the day under daily caps, for several providers in one step.
--
-- KEYS[i]          c:<provider>:<day>   how many calls are taken
--
-- ARGV, for each of KEYS:
--   wanted         how many more; negative: so many were taken and not made; 0: only asks
--   most           the cap of this day
-- and after all of them:
--   lasts          seconds until a counter is forgotten, longer than a day and what clocks differ
--
-- Answers one array {granted, taken} for each: how many of those wanted, and how many are taken by then.

local lasts = ARGV[#ARGV]
local answers = {}

for i, key in ipairs(KEYS) do
  local wanted, most = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local taken = tonumber(redis.call('GET', key) or '0')
  local granted = math.max(-taken, math.min(wanted, math.max(0, most - taken)))
  if granted ~= 0 then redis.call('SET', key, string.format('%.0f', taken + granted), 'EX', lasts) end
  answers[i] = {granted, taken + granted}
end

return answers
