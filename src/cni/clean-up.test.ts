import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { removeInstalled } from './clean-up.ts';
import { type InstallOptions, installConflist, installPlugins } from './install.ts';

describe('what was installed', () => {
  let dir: string;
  let options: InstallOptions;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'fl-clean-'));
    options = {
      binDir: join(dir, 'bin'),
      confDir: join(dir, 'conf'),
      nodePath: '/bin/false',
      clientPath: '',
      socket: '',
      notesDir: dir,
      pipesDir: dir,
    };
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const files = (): string[][] => [readdirSync(options.binDir), readdirSync(options.confDir)];

  test('is taken away again', () => {
    installPlugins(options);
    installConflist(options);
    assert.deepEqual(files(), [['fairlead', 'loopback'], ['10-fairlead.conflist']]);
    removeInstalled(options);
    removeInstalled(options);
    assert.deepEqual(files(), [[], []]);
  });

  test('gives back the plugin that it had replaced, also when it was installed twice', () => {
    installPlugins(options);
    const path = join(options.binDir, 'loopback');
    writeFileSync(path, 'of a package');
    installPlugins(options);
    installPlugins(options);
    assert.match(readFileSync(path, 'utf8'), /Fairlead/);
    removeInstalled(options);
    assert.deepEqual(readdirSync(options.binDir), ['loopback']);
    assert.equal(readFileSync(path, 'utf8'), 'of a package');
  });

  test('leaves a plugin that has taken the place of ours', () => {
    installPlugins(options);
    installConflist(options);
    writeFileSync(join(options.binDir, 'loopback'), 'of a package');
    writeFileSync(join(options.confDir, '10-other.conflist'), '{}');
    removeInstalled(options);
    assert.deepEqual(files(), [['loopback'], ['10-other.conflist']]);
  });
});
