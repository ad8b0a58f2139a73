-- What a script uses of this is put before it at build time (embed.cmake).
--
-- A script answers {'ok', ...} or {word}, a stable word of errors.def. All of a script's keys
-- share the hash tag {SID}; which are which is said on its first line. Only the keys of other
-- turns of the same session are made up inside. Checks come before the first write: Redis rolls
-- nothing back.
-- Numbers of a hash that are missing or spoilt read as 0.

local function now_ms()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- This server, in this life.
local function run_id()
    return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- The id of the history that this server has (Redis's master_replid): its replicas have the same, until
-- one is promoted. Second: whether this one was a replica once.
local function replid()
    local info = redis.call('INFO', 'replication')
    local second = string.match(info, 'master_replid2:(%x+)')
    return string.match(info, 'master_replid:(%x+)'), second and string.find(second, '[^0]') ~= nil
end

-- Both, in one.
local function identity()
    local info = redis.call('INFO', 'server', 'replication')
    return string.match(info, 'run_id:(%x+)'), string.match(info, 'master_replid:(%x+)')
end

-- Was a replica promoted since the history was `base_replid`? It may have lagged behind. (A server that was
-- only restarted has a new id as well, but was no replica.)
local function promoted_since(base_replid)
    local id, was_replica = replid()
    return base_replid and base_replid ~= id and was_replica
end

-- A durable write whose replicas are waited for (store.c) has one key more, p:w:{SID}:N.TOKEN. It is
-- noted in p:w:{SID} until N replicas have it: who reads the session meanwhile waits for them
-- too. To be written again by one that is sent again is half the purpose: Redis waits for what a
-- connection wrote.
local function note_write()
    local W, token = string.match(KEYS[#KEYS], '^(p:w:{.-}):(.+)$')
    if W then
        redis.call('HSET', W, token, run_id())
        redis.call('PEXPIRE', W, 7 * 24 * 3600 * 1000)
    end
end
note_write()

-- The answer of a reader when the session at S has something that too few replicas may have; else
-- nil. What one copy was asked of and is found at another server than wrote it is that copy: a
-- replica that was promoted and is alone can be read.
local function unsure(S)
    local notes, tokens = redis.call('HGETALL', 'p:w:' .. string.sub(S, 5)), {}
    local here = #notes > 0 and run_id()
    for i = 1, #notes, 2 do
        if notes[i + 1] == here or string.sub(notes[i], 1, 2) ~= '1.' then
            tokens[#tokens + 1] = notes[i]
        end
    end
    return #tokens > 0 and {'unsure', tokens} or nil
end

local function expire(ms, ...)
    if tonumber(ms) > 0 then
        for _, key in ipairs({...}) do
            redis.call('PEXPIRE', key, ms)
        end
    end
end

-- How long a session lives after its last change; 0: for good. One that isn't listed has its own life.
local function session_keep(S, keep)
    local v = redis.call('HMGET', S, 'life', 'keep')
    return v[2] and 0 or v[1] or keep
end

-- Its place in its owner's list; 0: it has none.
local function listed(S, when)
    return redis.call('HEXISTS', S, 'life') == 1 and 0 or when
end

-- The turn at key, nil when there is none ('void': a janitor has given the id up before it began).
-- le, ls: epoch and seq of the last event stored. lease: when it ends, Unix ms.
local function turn_read(key)
    local v = redis.call('HMGET', key, 'state', 'epoch', 'le', 'ls', 'lease', 'holder', 'cancel',
                         'sealed', 'wait', 'mended')
    if not v[1] or v[1] == 'void' then
        return nil
    end
    return {
        state = v[1], epoch = tonumber(v[2]) or 0,
        le = tonumber(v[3]) or 0, ls = tonumber(v[4]) or 0,
        lease = tonumber(v[5]) or 0, holder = v[6] or '',
        cancel = v[7] == '1', sealed = v[8] or '', wait = tonumber(v[9]) or 0,
        loss_epoch = tonumber(v[10]) or 0,
    }
end

local function turn_open(t)
    return t.state == 'running' or t.state == 'awaiting'
end

-- The last seq stored of the present epoch: each epoch counts from 1.
local function turn_seq(t)
    return t.le == t.epoch and t.ls or 0
end

-- {state, epoch, last epoch, last seq, lease left, unheld since, cancel, left to decide, the epoch
-- before which something was lost, holder}; lease and waiting only of an open turn, left to decide
-- only of one that awaits.
local function turn_answer(t, now)
    local left = turn_open(t) and t.lease - now or 0
    return {t.state, t.epoch, t.le, t.ls, math.max(left, 0), math.max(-left, 0), t.cancel and 1 or 0,
            t.state == 'awaiting' and t.wait - now or 0, t.loss_epoch, t.holder}
end

-- The turn's next epoch. seen: the highest one that the caller knows of.
-- A server that is not the one (or not in the life) in which the present epoch began may have lost
-- its last moments: the power went, a replica that lagged behind was promoted. The epochs that were
-- begun there may have given out ids, which never repeat: the next one goes well past them, and the
-- further the later it is, for two such losses in a row may begin at the same epoch. And behind a
-- promotion, what was stored after the last event may have been seen: who has seen it (past
-- loss_from, before loss_epoch) is told so by turn/events.
-- run: the server on which the present epoch began. base_replid: the data's history at that time, or when
-- a worker loaded it.
local function turn_next(t, T, seen)
    local v, here = redis.call('HMGET', T, 'run', 'sound', 'torn', 'begun'), run_id()
    local far = 16 + math.max(0, math.floor((now_ms() - (tonumber(v[4]) or now_ms())) / 10))
    local epoch = math.max(t.epoch, seen) + (v[1] and v[1] ~= here and far or 1)
    if seen > t.epoch or promoted_since(v[2]) then
        t.loss_epoch = epoch
        redis.call('HSET', T, 'torn', v[3] or string.format('%d-%d', t.le, t.ls), 'mended', epoch)
    end
    redis.call('HSET', T, 'run', here, 'sound', (replid()))
    return epoch
end

-- The calls that a person was asked about in this turn: call id -> {hash of the call, -1: not
-- decided, 0: refused, 1: approved; 1: the id was asked about before, with another hash; the epoch
-- in which it began, where it must not begin twice}. Kept to the turn's end: a decision may come
-- twice.
local function asked_read(T)
    local packed = redis.call('HGET', T, 'asked')
    return packed and cmsgpack.unpack(packed) or {}
end

local function asked_write(T, asked)
    redis.call('HSET', T, 'asked', cmsgpack.pack(asked))
end

-- Datasources whose server may get the person's sign-in in this conversation: call id -> hash of
-- what they said yes to. The id holds the hash, so a datasource that leads elsewhere is another.
local SOURCES_MAX = 64

local function sources_read(S)
    local packed = redis.call('HGET', S, 'sources')
    return packed and cmsgpack.unpack(packed) or {}
end

local function sources_grant(S, asked)
    local granted, count, more = sources_read(S), 0, false
    for _ in pairs(granted) do
        count = count + 1
    end
    for id, a in pairs(asked) do
        if a[2] == 1 and string.sub(id, 1, 11) == 'datasource_' and not granted[id] and count < SOURCES_MAX then
            granted[id], count, more = a[1], count + 1, true
        end
    end
    if more then
        redis.call('HSET', S, 'sources', cmsgpack.pack(granted))
    end
end

-- Is the session there and shared with those who know this token?
local function shared(S, token)
    return token ~= '' and redis.call('HGET', S, 'share') == token
end

-- Is the session there and the owner's? (invariant 8)
local function owned(S, owner)
    return redis.call('HGET', S, 'owner') == owner
end

-- How long a turn is known after its end: it tells "expired" from "never was", and its idempotency
-- key, which lives for a day, leads to it.
local TURN_KEEP = 7 * 24 * 3600 * 1000

-- What Redis 7 was measured to hold: an empty session with its places in its owner's keys; a message
-- beside its text; a turn's place in L, what is more while it is known; an empty stream.
local SESSION_BYTES, MESSAGE_BYTES, LISTED_BYTES, TURN_BYTES, STREAM_BYTES = 1024, 128, 170, 900, 4400

-- The streams of turns that are over, which live on for `keep`: what ended in this window, which is as
-- long, and in the one before. v: evat, evkeep, evnow, evwas of S, from the first-th on. -> where the window
-- begins, the bytes of both.
local function streams_of(v, first, now)
    local at, keep = tonumber(v[first]) or 0, math.max(tonumber(v[first + 1]) or 0, 1)
    local bytes, before = tonumber(v[first + 2]) or 0, tonumber(v[first + 3]) or 0
    if now >= at + 2 * keep then
        return now, 0, 0
    elseif now >= at + keep then
        return at + keep, 0, bytes
    end
    return at, bytes, before
end

-- What a session takes, about as Redis holds it: all that its owner can make it hold.
local function session_bytes(S)
    local tag, now = string.sub(S, 5), now_ms()
    local v = redis.call('HMGET', S, 'bytes', 'running', 'kept', 'evat', 'evkeep', 'evnow', 'evwas',
                         'title', 'model', 'settings', 'sum', 'sources', 'versions')
    local _, sum, before = streams_of(v, 4, now)
    local bytes = SESSION_BYTES + (tonumber(v[1]) or 0) + (tonumber(v[3]) or 0) + sum + before
    for i = 8, 13 do
        bytes = bytes + #(v[i] or '')
    end
    if (v[2] or '') ~= '' then
        local t = redis.call('HMGET', 'p:t:' .. tag .. ':' .. v[2], 'ev', 'req', 'asks', 'asked')
        bytes = bytes + STREAM_BYTES + (tonumber(t[1]) or 0) + #(t[2] or '') + #(t[3] or '') + #(t[4] or '')
    end
    local L, since = 'p:l:' .. tag, string.format('%.0f', now - TURN_KEEP)
    return bytes + MESSAGE_BYTES * redis.call('HLEN', 'p:m:' .. tag) + LISTED_BYTES * redis.call('ZCARD', L) +
           TURN_BYTES * redis.call('ZCOUNT', L, since, '+inf')
end

-- What the owner said of an answer: {sentiment, comment, when}, or nil. It is kept with the session, and counts
-- among its bytes.
local FEEDBACK_BYTES = 64

local function feedback_read(S, message)
    local packed = redis.call('HGET', S, 'fb:' .. message)
    local fine, said = pcall(cmsgpack.unpack, packed or '')
    return packed and fine and type(said) == 'table' and said or nil
end

local function feedback_drop(S, message)
    local bytes = redis.call('HSTRLEN', S, 'fb:' .. message)
    if bytes > 0 then
        redis.call('HDEL', S, 'fb:' .. message)
        redis.call('HINCRBY', S, 'kept', -(bytes + FEEDBACK_BYTES))
    end
end

-- A page of a conversation: its messages past one, up to another, about as many bytes as asked for, one at
-- least. No script reads a whole one: others wait for it. -> {id, record, ...}, {id, flags, ...}, up to which
-- message it went.
local function messages_page(M, F, after, upto, bytes, hidden)
    local messages, flags, looked, flagged = {}, {}, 0, redis.call('HLEN', F) > 0
    while after < upto and bytes > 0 and looked < 1000 do
        after, looked = after + 1, looked + 1
        local id = string.format('%d', after)
        local record = redis.call('HGET', M, id) or hidden and hidden[id] and redis.call('HGET', M, hidden[id])
        if record then
            messages[#messages + 1], messages[#messages + 2] = id, record
            bytes = bytes - #record
            local letters = flagged and redis.call('HGET', F, id)
            if letters then
                flags[#flags + 1], flags[#flags + 2] = id, letters
            end
        end
    end
    return messages, flags, after
end

-- When the session was changed last: what its owner's list is ordered by.
local function updated(S)
    return tonumber(redis.call('HGET', S, 'updated')) or 0
end

-- {owner, title, model, settings, created, updated, turns, running, its state, epoch, lease left,
-- tokens in, out, of them cached, cost, calls that wait for a decision (JSON)}; settings, which may be
-- large, and calls are empty unless whole; whole: and summary, the last message that it covers,
-- revision of the messages, its readers' token (or ''), the datasource that they must be allowed to read,
-- whether it is kept for good, the versions of its questions (JSON, or '')
-- known: a turn's id and the turn, which is the one that runs, as far as that needs no reading; or nil
local function session_answer(S, turn_prefix, now, whole, known)
    local v = redis.call('HMGET', S, 'owner', 'title', 'model', whole and 'settings' or 'none', 'created',
                         'updated', 'turns', 'itok', 'otok', 'ctok', 'cost', 'running', 'keep')
    local answer = {}
    for i = 1, 4 do
        answer[i] = v[i] or ''
    end
    for i = 5, 7 do
        answer[i] = tonumber(v[i]) or 0
    end
    local running, state, epoch, left, asks = v[12] or '', 'none', 0, 0, ''
    if running ~= '' then
        local t = known and known[1] == running and known[2] or turn_read(turn_prefix .. running)
        if t and turn_open(t) then
            state, epoch, left = t.state, t.epoch, t.lease - now
            if state == 'awaiting' and whole then
                asks = redis.call('HGET', turn_prefix .. running, 'asks') or ''
            end
        else
            running = ''
        end
    end
    answer[8], answer[9], answer[10], answer[11] = running, state, epoch, left
    for i = 8, 11 do
        answer[4 + i] = tonumber(v[i]) or 0
    end
    answer[16], answer[17] = asks, v[13] and 1 or 0
    if whole then
        local more = redis.call('HMGET', S, 'sum', 'sumto', 'mrev', 'share', 'sharefor', 'versions')
        answer[18], answer[19], answer[20] = more[1] or '', tonumber(more[2]) or 0, tonumber(more[3]) or 0
        answer[21], answer[22], answer[23] = more[4] or '', more[5] or '', more[6] or ''
    end
    return answer
end

-- What a worker begins with: what the person has decided: {call id, hash, decision (2: approved, and it began
-- already), ...} of the calls that they were asked about.
local function decisions_read(S, T)
    local decisions, asked = {}, asked_read(T)
    for id, hash in pairs(sources_read(S)) do
        asked[id] = asked[id] or {hash, 1}
    end
    for id, a in pairs(asked) do
        local n = #decisions
        decisions[n + 1], decisions[n + 2], decisions[n + 3] = id, a[1], a[4] and 2 or a[2]
    end
    return decisions
end

-- A message is not as it was: what was made of it is void.
local function message_changed(S, message)
    redis.call('HINCRBY', S, 'mrev', 1)
    if tonumber(message) <= (tonumber(redis.call('HGET', S, 'sumto')) or 0) then
        redis.call('HDEL', S, 'sum', 'sumto')
    end
end

-- A question may have versions, in groups by the place where they stand: {{'5', '9'}, ...} in JSON, by when
-- they were asked. One of each group is in the conversation; what another one leads to is kept in M as well,
-- as vQUESTION:MESSAGE, where only these functions look for it.
local function versions_read(S)
    local text = redis.call('HGET', S, 'versions')
    return text and cjson.decode(text) or {}
end

local function versions_write(S, groups)
    for i = #groups, 1, -1 do
        if #groups[i] < 2 then
            table.remove(groups, i)
        end
    end
    if #groups == 0 then
        redis.call('HDEL', S, 'versions')
    else
        redis.call('HSET', S, 'versions', cjson.encode(groups))
    end
end

-- The group that the question (text) is in and its place there, or nil.
local function versions_find(groups, question)
    for _, group in ipairs(groups) do
        for i, one in ipairs(group) do
            if one == question then
                return group, i
            end
        end
    end
end

-- What is out of the conversation: a message's id -> where it is kept.
local function versions_hidden(M)
    local hidden = {}
    for _, field in ipairs(redis.call('HKEYS', M)) do
        local id = string.match(field, '^v%d+:(%d+)$')
        if id then
            hidden[id] = field
        end
    end
    return hidden
end

-- Takes the question (text) and all behind it out of the conversation (away), or brings them back.
local function version_move(S, M, question, away)
    for id = tonumber(question), tonumber(redis.call('HGET', S, 'mseq')) or 0 do
        local here, there = string.format('%d', id), string.format('v%s:%d', question, id)
        local from, to = away and here or there, away and there or here
        local record = redis.call('HGET', M, from)
        if record then
            redis.call('HDEL', M, from)
            redis.call('HSET', M, to, record)
        end
    end
    message_changed(S, question)
end

-- Is that message (text) in the conversation, and a question?
local function is_question(M, message)
    local record = redis.call('HGET', M, message)
    local fine, m = pcall(cmsgpack.unpack, record or '')
    return record and fine and type(m) == 'table' and m.role == 0
end

-- The question (text) is replaced by another one, which is about to be appended as `id`.
local function version_add(S, M, question, id)
    local groups = versions_read(S)
    local group = versions_find(groups, question)
    if not group then
        group = {question}
        groups[#groups + 1] = group
    end
    group[#group + 1] = string.format('%d', id)
    versions_write(S, groups)
    version_move(S, M, question, true)
end

-- The question (text) is no more: what follows it now stands in its place, else its latest other version does.
local function version_drop(S, M, question)
    local groups = versions_read(S)
    local group, place = versions_find(groups, question)
    if not group then
        return
    end
    table.remove(group, place)
    for id = tonumber(question) + 1, tonumber(redis.call('HGET', S, 'mseq')) or 0 do
        local next = string.format('%d', id)
        if is_question(M, next) then
            for _, one in ipairs(versions_find(groups, next) or {next}) do
                group[#group + 1] = one
            end
            for i, other in ipairs(groups) do
                if other ~= group and versions_find({other}, next) then
                    table.remove(groups, i)
                    break
                end
            end
            table.sort(group, function(a, b) return tonumber(a) < tonumber(b) end)
            return versions_write(S, groups)
        end
    end
    version_move(S, M, group[#group], false)
    versions_write(S, groups)
end

-- More fields and values of one HSET.
local function fields_add(list, ...)
    for _, one in ipairs({...}) do
        list[#list + 1] = one
    end
end

-- The end of a turn, after its last event was added: the session is free, the stream lives on for
-- a while, the turn itself for longer, but no longer than its session. ev: bytes of its events; life: how long the
-- session lives on, if that was set just now, and was not set of E and T; else 0. s, t: more fields of S and T that
-- change (each call of a script costs Redis about as much as ten fields).
local function turn_end(now, S, T, E, tid, events_keep, ev, life, s, t)
    local v = redis.call('HMGET', S, 'running', 'evat', 'evkeep', 'evnow', 'evwas', 'kept')
    local at, sum, before = streams_of(v, 2, now)
    fields_add(s, 'evat', string.format('%.0f', at), 'evkeep', events_keep, 'evnow', sum + STREAM_BYTES + ev,
               'evwas', before, 'kept', (tonumber(v[6]) or 0) + redis.call('HSTRLEN', T, 'asked'), 'updated', now)
    if v[1] == tid then
        fields_add(s, 'running', '')
    end
    fields_add(t, 'lease', 0)
    redis.call('HSET', S, unpack(s))
    redis.call('HSET', T, unpack(t))
    redis.call('HDEL', T, 'req', 'asks')
    local keep = math.max(TURN_KEEP, tonumber(events_keep))
    if life > 0 then
        redis.call('PEXPIRE', E, math.min(life, events_keep))
        redis.call('PEXPIRE', T, math.min(life, keep))
        return
    end
    life = redis.call('PTTL', S)
    redis.call('PEXPIRE', E, life >= 0 and math.min(life, events_keep) or events_keep)
    local left = redis.call('PTTL', T)
    if left < 0 or left > keep then
        redis.call('PEXPIRE', T, keep)
    end
end

-- Ends a turn from outside its worker, by one event under the next epoch: its worker, if there is
-- one, is fenced by that.
local function turn_stop(t, now, S, T, E, tid, seen, state, why, batch, events_keep)
    t.epoch = turn_next(t, T, seen)
    redis.call('XADD', E, string.format('%d-1', t.epoch), 'e', batch)
    local ev = redis.call('HINCRBY', T, 'ev', #batch)
    t.state, t.le, t.ls, t.lease = state, t.epoch, 1, 0
    turn_end(now, S, T, E, tid, events_keep, ev, 0, {},
             {'state', state, 'epoch', t.epoch, 'le', t.le, 'ls', t.ls, 'why', why, 'holder', '', 'from', seen})
end

-- What a session has now, in its owner's Q; 0: it is gone. One that is not there was deleted meanwhile (its place
-- was taken before it was made), and comes back by nobody's late word; moved: it was another owner's until now.
local function storage_note(Q, sid, bytes, keep, moved)
    local v = redis.call('HMGET', Q, 'sum', 'counted', sid)
    if not v[3] and not moved then
        return
    end
    local sum, had = tonumber(v[1]) or 0, v[3] and tonumber(string.match(v[3], '^%d+')) or 0
    redis.call('HSET', Q, 'sum', math.max(0, sum + bytes - had), 'counted', v[2] or 0)
    if bytes > 0 then
        redis.call('HSET', Q, sid, string.format('%d %d', bytes, now_ms()))
    else
        redis.call('HDEL', Q, sid)
    end
    if redis.call('HLEN', Q) == 2 then -- the last session is gone
        redis.call('DEL', Q)
    else
        expire(keep, Q)
    end
end
