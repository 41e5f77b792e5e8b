/**
 * The transactions, as one library of Redis functions (Redis 7.0 and later): each runs alone and whole. Redis keeps the library with its data
 * and hands it to replicas. Its name holds a digest of its text, so servers of two versions can use one Redis at the same time.
 */
import { createHash } from 'node:crypto';
import { headerBytes, idBytes } from './record.ts';

/** What every key begins with; the braces put all of them into one hash slot. */
const prefix = '{fairlead}';

interface Keys {
  /** A hash: id, cluster, format, revision, last (the id of the newest write), compacted, forgotten, run (the Redis process that was met last), filler (who fills it). */
  readonly meta: string;
  /** Every key with score 0: a sorted set is in the order of its bytes then. */
  readonly index: string;
  /** Keys that expire, by the moment in milliseconds. */
  readonly expiry: string;
  /** Streams whose ids are `REVISION-0`: events of keys with history, and of those without. */
  readonly log: string;
  readonly recent: string;
  /** A channel that nobody listens to. */
  readonly fence: string;
  record(key: string): string;
}

export const keys: Keys = {
  meta: `${prefix}meta`,
  index: `${prefix}keys`,
  expiry: `${prefix}expiry`,
  log: `${prefix}log`,
  recent: `${prefix}recent`,
  fence: `${prefix}fence`,
  record: (key) => `${prefix}:${key}`,
};

/** The five keys that every function is given, with their number before them. */
export const functionKeys: readonly string[] = ['5', keys.meta, keys.index, keys.expiry, keys.log, keys.recent];

/** The format in place of a number while a Redis is filled with what another store held. */
export const filling = 'filling';

/** By how much revisions jump when it is unknown how many were lost. */
export const jumpBy = 1_000_000;

const body = `
local META, INDEX, EXPIRY, LOG, RECENT, RECORD = 1, 2, 3, 4, 5, '${prefix}:'

local function millis()
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
end

local function field(keys, name)
  return tonumber(redis.call('HGET', keys[META], name))
end

local function entry_id(revision)
  return string.format('%.0f-0', revision)
end

local function header(created, modified, id)
  return struct.pack('>I8I8', created, modified) .. id
end

local function id_of(record)
  return string.sub(record, 17, ${headerBytes})
end

local function next_revision(keys, id)
  local revision = field(keys, 'revision') + 1
  redis.call('HSET', keys[META], 'revision', string.format('%.0f', revision), 'last', id)
  return revision
end

-- The entry of a write that may have been made before: false when it was not, nil when nobody can know any more.
local function find(keys, stream, id, since)
  if since < field(keys, stream == LOG and 'compacted' or 'forgotten') then return nil end
  local from = '(' .. entry_id(since)
  while true do
    local entries = redis.call('XRANGE', keys[stream], from, '+', 'COUNT', 100)
    for _, entry in ipairs(entries) do
      if id_of(entry[2][4]) == id then return entry[2] end
      from = '(' .. entry[1]
    end
    if #entries < 100 then return false end
  end
end

-- The answer to a write that is sent once more: what became of it, or nothing when it is still to be made.
local function settled(keys, stream, id, since, answer)
  if since == '' then return nil end
  local entry = find(keys, stream, id, tonumber(since))
  if entry == nil then return {2} end
  return entry and answer(entry)
end

local function stream_of(name)
  return name == 'log' and LOG or RECENT
end

local function put_answer(entry)
  local created, revision = struct.unpack('>I8I8', entry[4])
  return {1, revision, created}
end

local function place(keys, stream, key, value, id, current, created)
  local revision = next_revision(keys, id)
  if not current then
    created = revision
    redis.call('ZADD', keys[INDEX], 0, key)
  end
  local record = header(created, revision, id) .. value
  redis.call('SET', RECORD .. key, record)
  redis.call('XADD', keys[stream], entry_id(revision), 'k', key, 'v', record, 'p', current or '')
  return revision, created
end

local function remove(keys, stream, key, current, id)
  local revision = next_revision(keys, id)
  redis.call('DEL', RECORD .. key)
  redis.call('ZREM', keys[INDEX], key)
  redis.call('ZREM', keys[EXPIRY], key)
  redis.call('XADD', keys[stream], entry_id(revision), 'k', key, 'v', header(0, revision, id), 'p', current)
  return revision
end

-- What is made and deleted alongside a write comes as stream, key, the revision that the key must have (0 for nothing), and value, from an
-- argument on; a key that only has to have its revision has '' for a stream. The write itself has the first of their revisions, and so is what a search for its id finds.
local function in_the_way(args, first)
  for i = first, #args, 4 do
    local revisions, modified = redis.call('GETRANGE', RECORD .. args[i + 1], 0, 15), 0
    if revisions ~= '' then modified = select(2, struct.unpack('>I8I8', revisions)) end
    if modified ~= tonumber(args[i + 2]) then return args[i + 1] end
  end
end

local function accompany(keys, args, first, id)
  for i = first, #args, 4 do
    local stream, key = stream_of(args[i]), args[i + 1]
    if args[i] == '' then
      -- It stays.
    elseif args[i + 2] == '0' then
      place(keys, stream, key, args[i + 3], id, false, 0)
    else
      remove(keys, stream, key, redis.call('GET', RECORD .. key), id)
    end
  end
end

local function makes_any(args, first)
  for i = first, #args, 4 do
    if args[i] ~= '' and args[i + 2] == '0' then return true end
  end
  return false
end

local function put(keys, args, in_place)
  local key, value, if_revision, ttl, id, since = args[1], args[2], args[3], args[4], args[5], args[6]
  local stream = stream_of(args[7])
  local made = settled(keys, stream, id, since, put_answer)
  if made then return made end
  local current = redis.call('GET', RECORD .. key)
  local created, modified = 0, 0
  if current then created, modified = struct.unpack('>I8I8', current) end
  if if_revision ~= '' and tonumber(if_revision) ~= modified then return {0, current} end
  local taken = in_the_way(args, 8)
  if taken then return {0, current, taken} end
  if in_place and (not current or makes_any(args, 8) or #value + ${headerBytes} > #current + 1024) then
    return redis.error_reply('OOM no room for a new record or a larger value')
  end
  local revision
  revision, created = place(keys, stream, key, value, id, current, created)
  if ttl ~= '' then
    redis.call('ZADD', keys[EXPIRY], string.format('%.0f', millis() + tonumber(ttl)), key)
  elseif current then
    redis.call('ZREM', keys[EXPIRY], key)
  end
  accompany(keys, args, 8, id)
  return {1, revision, created}
end

local function delete_answer(entry)
  local _, revision = struct.unpack('>I8I8', entry[4])
  return {1, revision, entry[6]}
end

local function delete(keys, args)
  local key, if_revision, id, since, stream = args[1], args[2], args[3], args[4], stream_of(args[5])
  local made = settled(keys, stream, id, since, delete_answer)
  if made then return made end
  local current = redis.call('GET', RECORD .. key)
  if not current then return {0, false} end
  local _, modified = struct.unpack('>I8I8', current)
  if if_revision ~= '' and tonumber(if_revision) ~= modified then return {0, current} end
  local taken = in_the_way(args, 6)
  if taken then return {0, current, taken} end
  local revision = remove(keys, stream, key, current, id)
  accompany(keys, args, 6, id)
  return {1, revision, current}
end

-- Deletes what has expired, a part of it, and says in how many milliseconds there is more to do; -1 for never.
local function expire(keys, args)
  local id = args[1]
  local now = millis()
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', keys[EXPIRY], '-inf', now, 'LIMIT', 0, 100)) do
    local stream = LOG
    for i = 2, #args do
      if string.sub(key, 1, #args[i]) == args[i] then stream = RECENT end
    end
    local current = redis.call('GET', RECORD .. key)
    if current then remove(keys, stream, key, current, id) else redis.call('ZREM', keys[EXPIRY], key) end
  end
  local first = redis.call('ZRANGE', keys[EXPIRY], 0, 0, 'WITHSCORES')
  if not first[2] then return -1 end
  return math.max(0, tonumber(first[2]) - now)
end

local function range(keys, args)
  local from, to = '[' .. args[1], '(' .. args[2]
  local limit, bytes = tonumber(args[3]), tonumber(args[4])
  local state = redis.call('HMGET', keys[META], 'revision', 'last')
  local reply = {tonumber(state[1]), state[2], redis.call('ZLEXCOUNT', keys[INDEX], from, to)}
  for _, key in ipairs(redis.call('ZRANGEBYLEX', keys[INDEX], from, to, 'LIMIT', 0, limit)) do
    local record = redis.call('GET', RECORD .. key)
    reply[#reply + 1] = key
    reply[#reply + 1] = record
    bytes = bytes - #record
    if bytes < 0 then break end
  end
  return reply
end

local function forget(keys, stream, name, floor)
  redis.call('XTRIM', keys[stream], 'MINID', '=', entry_id(floor + 1))
  redis.call('HSET', keys[META], name, string.format('%.0f', math.max(floor, field(keys, name))))
end

local function compact(keys, args)
  local floor = math.max(field(keys, 'compacted'), math.min(tonumber(args[1]), field(keys, 'revision')))
  forget(keys, LOG, 'compacted', floor)
  forget(keys, RECENT, 'forgotten', floor)
  return floor
end

-- Keeps at most so many entries of a stream, and so many bytes.
local function bound(keys, stream, name, events, bytes)
  local length = redis.call('XLEN', keys[stream])
  if length == 0 then return end
  local size = redis.call('MEMORY', 'USAGE', keys[stream])
  local keep = events
  if size > bytes then keep = math.min(keep, math.floor(length * bytes / size * 0.75)) end
  if length <= keep then return end
  redis.call('XTRIM', keys[stream], 'MAXLEN', '=', keep)
  local first = redis.call('XRANGE', keys[stream], '-', '+', 'COUNT', 1)[1]
  local oldest = first and tonumber(string.match(first[1], '^%d+')) or field(keys, 'revision') + 1
  redis.call('HSET', keys[META], name, string.format('%.0f', oldest - 1))
end

local function trim(keys, args)
  bound(keys, LOG, 'compacted', tonumber(args[1]), tonumber(args[2]))
  bound(keys, RECENT, 'forgotten', tonumber(args[3]), tonumber(args[4]))
  return field(keys, 'compacted')
end

local function jump(keys, known)
  local revision = math.max(field(keys, 'revision'), known) + ${jumpBy}
  local text, id = string.format('%.0f', revision), string.rep('\\0', ${idBytes})
  redis.call('DEL', keys[LOG], keys[RECENT])
  redis.call('HSET', keys[META], 'revision', text, 'compacted', text, 'forgotten', text, 'last', id)
  -- An entry without a key tells those who follow the streams.
  redis.call('XADD', keys[LOG], entry_id(revision), 'k', '', 'v', header(0, revision, id), 'p', '')
end

-- Whether the write with this revision and id is part of what is here.
local function holds(keys, revision, id)
  if revision == 0 then return true end
  local now = redis.call('HMGET', keys[META], 'revision', 'last')
  if tonumber(now[1]) <= revision then return tonumber(now[1]) == revision and now[2] == id end
  for _, stream in ipairs({LOG, RECENT}) do
    local entry = redis.call('XRANGE', keys[stream], entry_id(revision), entry_id(revision))[1]
    if entry then return id_of(entry[2][4]) == id end
  end
  return false
end

-- A server begins to use the store, or does so again: makes it when there is nothing, and jumps when writes may be missing.
local function open(keys, args)
  local cluster, id, again, run, doubtful, known, known_id = args[1], args[2], args[3], args[4], args[5], tonumber(args[6]), args[7]
  if redis.call('EXISTS', keys[META]) == 0 then
    if again == '1' then return redis.error_reply('GONE nothing of the store is there') end
    local others = redis.call('DBSIZE')
    if others > 0 then return redis.error_reply('FOREIGN ' .. others) end
    redis.call('HSET', keys[META], 'format', '1', 'id', id, 'cluster', cluster, 'revision', '0', 'last', '', 'compacted', '0', 'forgotten', '0',
      'run', run)
  end
  if redis.call('HGET', keys[META], 'format') ~= '1' or redis.call('HGET', keys[META], 'cluster') ~= cluster then
    return redis.call('HGETALL', keys[META])
  end
  local lost = known >= 0 and not holds(keys, known, known_id)
  if redis.call('HGET', keys[META], 'run') ~= run then
    lost = lost or doubtful == '1'
    redis.call('HSET', keys[META], 'run', run)
  end
  if lost then jump(keys, math.max(known, 0)) end
  return redis.call('HGETALL', keys[META])
end

-- Somebody may empty a Redis at any time, and what is gone must not look like a store without records.
local function guarded(act)
  return function(keys, args)
    if redis.call('EXISTS', keys[META]) == 0 then return redis.error_reply('GONE nothing of the store is there') end
    return act(keys, args)
  end
end
`;

/** Name of the library, and what the names of its functions begin with. */
export const libraryName: string = `fairlead_${createHash('sha256').update(body).digest('hex').slice(0, 12)}`;

/** Those with `allow-oom` also run when memory is full: they make room, or take next to none. */
const functions = {
  put: ['put(keys, args, false)'],
  put_in_place: ['put(keys, args, true)', 'allow-oom'],
  delete: ['delete(keys, args)', 'allow-oom'],
  expire: ['expire(keys, args)', 'allow-oom'],
  compact: ['compact(keys, args)', 'allow-oom'],
  trim: ['trim(keys, args)', 'allow-oom'],
  open: ['open(keys, args)', 'allow-oom'],
  range: ['range(keys, args)', 'no-writes'],
} as const;

export type FunctionName = keyof typeof functions;

export function functionName(name: FunctionName): string {
  return `${libraryName}_${name}`;
}

export const libraryText: string = [
  `#!lua name=${libraryName}`,
  body,
  ...Object.entries(functions).map(
    ([name, [call, flag]]) =>
      `redis.register_function{function_name='${libraryName}_${name}', ` +
      `callback=${name === 'open' ? '' : 'guarded'}(function(keys, args) return ${call} end), flags={${flag ? `'${flag}'` : ''}}}`,
  ),
].join('\n');
