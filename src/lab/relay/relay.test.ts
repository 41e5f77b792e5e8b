import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { mustCidr } from '../../ip/ip.ts';
import { refusal, refusalReply, upstreamProxy } from './connect-proxy.ts';
import { serverFailure } from './dns-relay.ts';
import { parseNameservers } from './resolvers.ts';

suite('the image proxy', () => {
  const lab = ['192.168.120.0/24', '10.244.0.0/16'].map(mustCidr);
  const own = ['203.0.113.7'];
  const cases: [string, string, number, RegExp | undefined][] = [
    ['goes to the world on 443', '198.51.100.1', 443, undefined],
    ['goes nowhere on another port', '198.51.100.1', 22, /port 22/],
    ['does not go to loopback', '127.0.0.1', 443, /not of the world/],
    ['does not go to loopback in disguise', '::ffff:127.0.0.1', 443, /not of the world/],
    ['does not go to a metadata service', '169.254.169.254', 443, /not of the world/],
    ['does not go back into the lab', '10.244.1.2', 443, /not of the world/],
    ['does not go to this machine', '203.0.113.7', 443, /this machine/],
    ['does not go to IPv6 loopback', '::1', 443, /not of the world/],
  ];
  for (const [name, address, port, want] of cases)
    test(name, () => {
      const answer = refusal(address, port, lab, own);
      if (want === undefined) assert.equal(answer, undefined);
      else assert.match(answer ?? '', want);
    });

  test('uses the proxy of this machine', () => {
    assert.equal(upstreamProxy({ HTTPS_PROXY: 'http://proxy:8080' })?.host, 'proxy:8080');
    assert.equal(upstreamProxy({}), undefined);
    assert.equal(upstreamProxy({ https_proxy: 'nonsense' }), undefined);
  });
});

suite('the DNS relay', () => {
  test('reads at most three nameservers and skips what is none', () => {
    const text =
      '# x\nsearch a\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver nonsense\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n';
    assert.deepEqual(parseNameservers(text), ['127.0.0.53', 'fe80::1%eth0', '10.0.0.1']);
  });

  test('answers SERVFAIL to the same question when no resolver answers', () => {
    const question = encode({ type: 'query', id: 7, flags: 256, questions: [{ type: 'A', class: 'IN', name: 'example.org' }] });
    const answer = decode(Buffer.from(serverFailure(question)));
    assert.deepEqual([answer.id, answer.type, answer.questions?.[0]?.name], [7, 'response', 'example.org']);
    assert.equal((answer as unknown as { rcode: string }).rcode, 'SERVFAIL');
  });
});

test('the relay says in its status line what it could not reach, in one line whatever the reason is', () => {
  const [status, type] = refusalReply('registry.example', 'getaddrinfo ENOTFOUND\r\nX-Header: ü').split('\r\n');
  assert.equal(status, 'HTTP/1.1 502 the lab\'s relay cannot reach "registry.example": getaddrinfo ENOTFOUND X-Header:  ');
  assert.equal(type, 'Content-Type: text/plain');
});
