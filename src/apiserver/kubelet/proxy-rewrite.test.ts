import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ProxyPlace, rewriteHtml, rewriteUrl } from './proxy-rewrite.ts';

const prefix = '/api/v1/namespaces/default/services/web/proxy';
const place: ProxyPlace = { prefix, hosts: ['10.244.1.5:80', 'server:6443'] };

describe('rewriteUrl()', () => {
  for (const [what, url, wanted] of [
    ['leads a path of the backend through the proxy', '/login?next=/a#b', `${prefix}/login?next=/a#b`],
    ['keeps a slash at the end', '/', `${prefix}/`],
    ['takes the address of the backend for the backend', 'http://10.244.1.5:80/a', `${prefix}/a`],
    ['takes the host that was asked for, for the backend', 'https://server:6443/a', `${prefix}/a`],
    ['does so without a scheme', '//server:6443/a', `${prefix}/a`],
    ['leaves a path that has the prefix', `${prefix}/a`, `${prefix}/a`],
    ['leaves what is relative', 'a/b', 'a/b'],
    ['leaves a query alone', '?a=/b', '?a=/b'],
    ['leaves other hosts', 'https://example.com/a', 'https://example.com/a'],
    ['leaves other hosts without a scheme', '//example.com/a', '//example.com/a'],
    ['leaves what is no address on a host', 'mailto:a@example.com', 'mailto:a@example.com'],
    ['leaves what is no address at all', 'http://[', 'http://['],
  ] as const) {
    test(what, () => assert.equal(rewriteUrl(url, place), wanted));
  }
});

describe('rewriteHtml()', () => {
  for (const [what, html, wanted] of [
    ['changes links', '<a href="/x">test</a>', `<a href="${prefix}/x">test</a>`],
    ['reads any way to write a tag', `<IMG alt='>' SRC = '/x'/><a href=/y>`, `<IMG alt='>' SRC = '${prefix}/x'/><a href=${prefix}/y>`],
    ['leaves other attributes', '<a title="/x" data-href="/y" hidden>', '<a title="/x" data-href="/y" hidden>'],
    ['leaves comments', '<!-- <a href="/x"> -->', '<!-- <a href="/x"> -->'],
    [
      'leaves what a script says',
      `<script src="/s.js">'<a href="/x">'</Script><a href="/y">`,
      `<script src="${prefix}/s.js">'<a href="/x">'</Script><a href="${prefix}/y">`,
    ],
    ['leaves what is no tag', '1 < 2 && <3 href="/x"', '1 < 2 && <3 href="/x"'],
    ['leaves what follows a tag or comment without an end', '<a b="<!--<', '<a b="<!--<'],
  ] as const) {
    test(what, () => assert.equal(rewriteHtml(html, place), wanted));
  }

  for (const piece of ['<', '<a ', '<a b="', "<a b='", '<!--', '<script>', '</', 'a =  ', '<a b=   '])
    test(`needs no more time for a page of many ${JSON.stringify(piece)} than to read it`, () => {
      const page = piece.repeat(300_000);
      const before = process.cpuUsage();
      assert.equal(rewriteHtml(page, place), page);
      // Looking through the rest of the page at each piece would take minutes.
      assert.ok(process.cpuUsage(before).user < 5_000_000);
    });
});
