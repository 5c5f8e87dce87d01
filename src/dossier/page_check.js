// The page checks itself: it hashes the entries that it carries, proves them against the signed checkpoint, and compares
// what it shows with what they say. Whoever can change the page can change this script, so it says whose key it used and
// that a page cannot vouch for itself.
'use strict';
(async () => {
  const utf8 = new TextEncoder();
  const box = document.getElementById('check');
  const main = document.querySelector('main');
  const wrong = [];

  // --- bytes ---
  const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const fromHex = (text) => Uint8Array.from(text.match(/../g) || [], (h) => parseInt(h, 16));
  const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((at, p) => (out.set(p, at), at + p.length), 0);
    return out;
  };
  const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const leafHash = (entry) => sha256(join(Uint8Array.of(0), entry)); // RFC 6962 section 2.1
  const nodeHash = (left, right) => sha256(join(Uint8Array.of(1), left, right));

  // --- JSON that keeps the digits of numbers: [type, value], objects as lists of [name, value] ---
  const parse = (text) => {
    const token = /[\s]*([{}[\]:,]|"(?:[^"\\]|\\.)*"|[^\s{}[\]:,"]+)/gy;
    let raw;
    const next = () => {
      const found = token.exec(text);
      if (!found) throw new Error('not JSON');
      return (raw = found[1]);
    };
    const list = (close, item) => {
      const out = [];
      if (next() === close) return out;
      for (;;) {
        out.push(item());
        if (next() === close) return out;
        next();
      }
    };
    const value = () => {
      if (raw === '{') return ['object', list('}', () => {
        const name = JSON.parse(raw);
        next();
        next();
        return [name, value()];
      })];
      if (raw === '[') return ['array', list(']', value)];
      if (raw[0] === '"') return ['string', JSON.parse(raw)];
      return [raw === 'null' ? 'null' : 'plain', raw];
    };
    next();
    return value();
  };
  const member = (object, name) => {
    const found = object && object[0] === 'object' && object[1].find((m) => m[0] === name);
    return found ? found[1] : undefined;
  };

  // --- a value as the page words it (html_value.c, view.c, visible.c) ---
  const hidden = [[0, 0x1f], [0x7f, 0x9f], [0xad, 0xad], [0x34f, 0x34f], [0x61c, 0x61c], [0x115f, 0x1160],
    [0x17b4, 0x17b5], [0x180b, 0x180f], [0x200b, 0x200f], [0x2028, 0x202e], [0x2060, 0x206f], [0x3164, 0x3164],
    [0xfe00, 0xfe0f], [0xfeff, 0xfeff], [0xffa0, 0xffa0], [0xfff0, 0xfffb], [0x1d173, 0x1d17a], [0xe0000, 0xe0fff]];
  const visible = (text) => Array.from(text, (c) => {
    const code = c.codePointAt(0);
    return hidden.some(([first, last]) => first <= code && code <= last) ? '\\u{' + code.toString(16) + '}' : c;
  }).join('');
  const trimTime = (text) =>
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/.test(text) ? text.replace(/\.?0*Z$/, 'Z') : text;
  const withheld = (v) => {
    const why = member(v, 'withheld');
    const commitment = member(v, 'commitment');
    return commitment && commitment[0] !== 'null' && why && why[0] === 'string' && why[1] ? why[1] : '';
  };
  const jsonText = (v) => v[0] === 'object' ? '{' + v[1].map((m) => JSON.stringify(m[0]) + ':' + jsonText(m[1])).join() + '}'
    : v[0] === 'array' ? '[' + v[1].map(jsonText).join() + ']'
      : v[0] === 'string' ? JSON.stringify(v[1]) : v[1];
  const line = (v, depth) => {
    if (v[0] === 'null') return depth ? 'null' : 'not recorded';
    if (v[0] === 'string') return trimTime(v[1]);
    if (v[0] === 'plain' || depth >= 8) return v[0] === 'plain' ? v[1] : jsonText(v);
    if (v[0] === 'array') return v[1].length ? v[1].map((e, i) => (i ? e[0] === 'object' ? ' | ' : ', ' : '') + line(e, depth + 1)).join('') : 'none (stated)';
    const why = withheld(v);
    if (why) return 'withheld: ' + (why === 'not-granted' ? 'no grant to see it' : why);
    return v[1].length ? v[1].map((m) => m[0] + ': ' + line(m[1], depth + 1)).join('; ') : '(empty)';
  };
  const shown = (v, depth) => {
    if (v[0] === 'null') return depth ? 'null' : 'not recorded';
    if (withheld(v) || depth >= 6) return visible(line(v, 0));
    if (v[0] === 'object') return v[1].map((m) => visible(m[0]) + shown(m[1], depth + 1)).join('');
    if (v[0] === 'array' && v[1].length && v[1][0][0] === 'object') return v[1].map((e) => shown(e, depth + 1)).join('');
    return visible(line(v, 0));
  };
  // What was signed, and the signature, are shown line by line.
  const worded = (name, v) => ['statement', 'signature'].includes(name) && v[0] === 'string'
    ? v[1].split('\n').map(visible).join('\n') : shown(v, 0);
  const squeeze = (text) => text.replace(/[ \t\n\f\r\u00a0]+/g, '');

  // --- the tree ---
  // RFC 9162 section 2.1.3.2; sizes stay below 2^53.
  const proves = async (index, size, leaf, path, root) => {
    let fn = index, sn = size - 1, r = leaf;
    if (index >= size) return false;
    for (const p of path) {
      if (sn === 0) return false;
      if (fn % 2 === 1 || fn === sn) {
        r = await nodeHash(p, r);
        while (fn % 2 === 0 && fn !== 0) fn = fn / 2, sn = Math.floor(sn / 2);
      } else {
        r = await nodeHash(r, p);
      }
      fn = Math.floor(fn / 2);
      sn = Math.floor(sn / 2);
    }
    return sn === 0 && hex(r) === hex(root);
  };

  // --- the checkpoint (C2SP signed-note, tlog-checkpoint) ---
  const openKey = async (vkey) => {
    const [, name, id, base64] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey);
    const bytes = fromBase64(base64);
    const hash = await sha256(join(utf8.encode(name + '\n'), bytes));
    if (bytes[0] !== 1 || bytes.length !== 33 || hex(hash.slice(0, 4)) !== id) throw new Error('the key is malformed');
    return { name, id: hash.slice(0, 4), raw: bytes.slice(1), fingerprint: hex(await sha256(bytes.slice(1))) };
  };
  // true, false, or undefined when this browser has no Ed25519.
  const signed = async (note, key) => {
    const split = note.lastIndexOf('\n\n') + 1;
    const text = utf8.encode(note.slice(0, split));
    let imported;
    try {
      imported = await crypto.subtle.importKey('raw', key.raw, { name: 'Ed25519' }, false, ['verify']);
    } catch (e) {
      return undefined;
    }
    for (const sigLine of note.slice(split + 1).split('\n')) {
      const parts = /^\u2014 (\S+) (\S+)$/.exec(sigLine);
      const sig = parts && parts[1] === key.name ? fromBase64(parts[2]) : new Uint8Array();
      if (sig.length === 68 && hex(sig.slice(0, 4)) === hex(key.id)) {
        return crypto.subtle.verify({ name: 'Ed25519' }, imported, sig.slice(4), text);
      }
    }
    return false;
  };

  // --- what is shown against what the entries say ---
  const ownNames = ['kind', 'entry', 'entries', 'served', 'id', 'time', 'received', 'producer', 'other_entries', 'resolved',
    'approver_assurance', 'signature_checks'];
  const shownName = (name) => visible(ownNames.includes(name.replace(/^(recorded_)+/, '')) ? 'recorded_' + name : name);
  // Each record that the page carries is shown: as a table, beside one as a correction, or by a finding that names it.
  const recordKinds = ['prediction', 'dataset.version', 'training.run', 'model.version', 'approval', 'transition', 'decision',
    'oversight', 'explanation', 'notice', 'outcome', 'correction'];
  const checkCovered = (entries) => {
    const covered = new Set();
    document.querySelectorAll('table[data-entries]').forEach((t) => t.dataset.entries.split(',').forEach((i) => covered.add(i)));
    document.querySelectorAll('table[data-entries] tbody a.entry, .finding a.entry').forEach((a) => covered.add(a.textContent));
    for (const [index, e] of entries) {
      if (recordKinds.includes(e.kind) && !covered.has(index)) wrong.push('entry ' + index + ' (' + e.kind + ') is not shown');
    }
  };
  const compareRecords = (entries) => {
    const counts = { facts: 0, sealed: 0 };
    for (const table of document.querySelectorAll('table[data-entries]')) {
      const own = table.dataset.entries.split(',').map((i) => entries.get(i));
      if (own.some((e) => !e)) {
        wrong.push('a record is shown whose entry is not here: ' + table.dataset.entries);
        continue;
      }
      const names = new Set();
      for (const cell of table.querySelectorAll('td[data-member]')) {
        const name = cell.dataset.member;
        const where = 'entry ' + table.dataset.entries + ', ' + name;
        // The earliest entry that says it counts, in its facts or sealed.
        const first = own.find((e) => e.facts.some((m) => shownName(m[0]) === name) || e.sealed.includes(name));
        const from = first && first.facts.find((m) => shownName(m[0]) === name);
        names.add(name);
        if (!from) {
          if (first || own.some((e) => e.hiding)) counts.sealed++;
          else wrong.push(where + ': no entry says this');
        } else if (squeeze(cell.textContent) !== squeeze(worded(name, from[1]))) {
          wrong.push(where + ': the page shows \u201c' + cell.textContent.trim().slice(0, 80) + '\u201d, the entry says \u201c' +
            worded(name, from[1]).slice(0, 80) + '\u201d');
        } else {
          counts.facts++;
        }
      }
      for (const m of own.flatMap((e) => e.facts)) {
        if (m[1][0] !== 'null' && !names.has(shownName(m[0]))) wrong.push('entry ' + table.dataset.entries + ', ' + m[0] + ': not shown');
      }
    }
    checkCovered(entries);
    if (counts.facts === 0) wrong.push('nothing that is shown could be compared with an entry');
    return counts;
  };

  const say = (kind, head, ...paragraphs) => {
    box.className = 'verdict ' + kind;
    box.dataset.result = kind;
    box.replaceChildren(Object.assign(document.createElement('strong'), { textContent: head }));
    for (const text of paragraphs) box.append(Object.assign(document.createElement('p'), { textContent: text }));
  };
  const caution = 'A page cannot vouch for itself: whoever changes it can change this check as well. Compare the key with one that ' +
    'you have from elsewhere, or run mltrail verify on the evidence bundle.';

  const check = async () => {
    const data = JSON.parse(document.getElementById('proof').textContent);
    const carried = (data.entries || []).filter((e) => typeof e.bytes === 'string');
    if (!data.checkpoint || !data.checkpoint.note || !data.key || carried.length === 0) {
      say('warn', 'Not checked', 'This page carries no signed checkpoint or no entries to check.', caution);
      return;
    }
    const key = await openKey(data.key);
    const [origin, size, root] = data.checkpoint.note.split('\n');
    const good = await signed(data.checkpoint.note, key);
    if (good === false) wrong.push('the checkpoint is not signed by the key');
    if (origin !== key.name) wrong.push('the checkpoint is for ' + origin + ', the key is of ' + key.name);
    const entries = new Map();
    for (const e of data.entries) {
      const bytes = utf8.encode(e.bytes);
      const leaf = await leafHash(bytes);
      if (hex(leaf) !== e.leaf) wrong.push('entry ' + e.index + ': its bytes have another leaf hash');
      if (!await proves(e.index, Number(size), leaf, e.proof.map(fromHex), fromBase64(root))) {
        wrong.push('entry ' + e.index + ' is not in the tree of the checkpoint');
      }
      const parsed = parse(e.bytes);
      const spilled = (member(parsed, 'details') || ['object', []])[1].map((m) => m[0]);
      const sealed = (member(parsed, 'payload') || ['object', []])[1].map((m) => m[0]);
      entries.set(String(e.index), {
        kind: (member(parsed, 'kind') || ['string', ''])[1],
        facts: (member(parsed, 'facts') || ['object', []])[1],
        sealed: sealed.concat(spilled).map(shownName),
        hiding: sealed.some((name) => name[0] === '~'),
      });
    }
    const counts = compareRecords(entries);
    if (hex(await sha256(utf8.encode(squeeze(main.textContent)))) !== main.dataset.text) {
      wrong.push('the text of the page is not the one that it was made with');
    }
    const whose = 'Key ' + data.key + ', SHA-256 of the public key ' + key.fingerprint + '.';
    if (wrong.length) {
      say('bad', 'This page does not hold', ...wrong.slice(0, 20), wrong.length > 20 ? 'and ' + (wrong.length - 20) + ' more' : '', whose);
      return;
    }
    say(good ? 'good' : 'warn', good ? 'Checked by this page' : 'Checked in part: this browser knows no Ed25519, so the signature is open',
      entries.size + ' entries hashed and proved in the tree of ' + size + ' entries that the checkpoint signs; ' + counts.facts +
      ' facts shown are those of the entries; ' + counts.sealed + ' values come from sealed payloads or details, which the ' +
      'evidence bundle opens and this page does not; the text of the page is the one that it was made with.', whose, caution);
  };

  try {
    await check();
  } catch (e) {
    say('bad', 'This page does not hold', 'The check broke off: ' + e.message, caution);
  }
})();
