-- TAKE: permits under rates, many requests in one call.
--
-- Each rate is a clock of its own: the instant at which its next permit would be due if permits were spaced evenly. It may lag
-- behind the server's clock by no more than a burst, and is never ahead by more than one, so what nobody takes is not saved up.
--
-- KEYS          l:<name>           one for each rate that is asked, in the order of the requests; microseconds
--
-- ARGV, for each request:
--   wanted      how many permits
--   rates       how many of KEYS it needs a permit of, all of them for each permit
--   then two for each of those:
--     interval  microseconds from one permit to the next
--     burst     how many may be taken at once by who comes after a pause
--
-- Answers one array {granted, wait} for each request: how many, and microseconds until there may be one more (0: all were granted).

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local answers = {}
local at, key = 1, 0

while ARGV[at] do
  local granted, rates = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local wanted, wait, dues = granted, 0, {}
  at = at + 2
  for i = 1, rates do
    local interval, burst = tonumber(ARGV[at + 2 * i - 2]), tonumber(ARGV[at + 2 * i - 1])
    local due = tonumber(redis.call('GET', KEYS[key + i]) or '0')
    -- A clock that was set back must not stop everything until it has come so far again.
    due = math.min(math.max(due, now), now + burst * interval)
    dues[i] = due
    granted = math.min(granted, math.floor((now - due) / interval) + burst)
  end
  granted = math.max(granted, 0)
  for i = 1, rates do
    local interval, burst = tonumber(ARGV[at + 2 * i - 2]), tonumber(ARGV[at + 2 * i - 1])
    local due = dues[i] + granted * interval
    if granted > 0 then
      redis.call('SET', KEYS[key + i], string.format('%.0f', due), 'PX', string.format('%.0f', (due - now) / 1000 + 1000))
    end
    if granted < wanted then
      wait = math.max(wait, due + interval - burst * interval - now)
    end
  end
  answers[#answers + 1] = {granted, math.ceil(wait)}
  at, key = at + 2 * rates, key + rates
end

return answers
