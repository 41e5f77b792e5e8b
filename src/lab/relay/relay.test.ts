import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { refusalReply } from './connect-proxy.ts';
import { serverFailure } from './dns-relay.ts';

test('the DNS relay answers SERVFAIL to the same question when no resolver answers', () => {
  const question = encode({ type: 'query', id: 7, flags: 256, questions: [{ type: 'A', class: 'IN', name: 'example.org' }] });
  const answer = decode(Buffer.from(serverFailure(question)));
  assert.deepEqual([answer.id, answer.type, answer.questions?.[0]?.name], [7, 'response', 'example.org']);
  assert.equal((answer as unknown as { rcode: string }).rcode, 'SERVFAIL');
});

test('the relay says in its status line what it could not reach, in one line whatever the reason is', () => {
  const [status, type] = refusalReply('registry.example', 'getaddrinfo ENOTFOUND\r\nX-Header: ü').split('\r\n');
  assert.equal(status, 'HTTP/1.1 502 the lab\'s relay cannot reach "registry.example": getaddrinfo ENOTFOUND X-Header:  ');
  assert.equal(type, 'Content-Type: text/plain');
});
