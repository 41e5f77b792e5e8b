import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { cannotMakeNamespaces } from '../testing/namespaces.ts';
import { decodeAttrs, readText } from './attribute.ts';
import { GenericNetlink, genericHeader } from './generic.ts';

const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_NAME = 2;

describe('GenericNetlink', { skip: cannotMakeNamespaces }, () => {
  test('finds a family by its name, and asks it', async () => {
    using control = new GenericNetlink('nlctrl');
    const request = await control.command(CTRL_CMD_GETFAMILY);
    assert.deepEqual([request.type, request.body[0]], [16, CTRL_CMD_GETFAMILY]);
    const names = (await control.dump(request, 'list families')).map((m) =>
      readText(decodeAttrs(m.data, genericHeader).get(CTRL_ATTR_FAMILY_NAME)),
    );
    assert.ok(names.includes('nlctrl'), names.join(', '));
  });

  test('says by name what the kernel does not have, each time it is asked', async () => {
    using nobody = new GenericNetlink('fl-nobody');
    for (const _ of [1, 2]) await assert.rejects(nobody.command(1), { code: 'KERNEL_FEATURE_MISSING', message: /"fl-nobody"/ });
  });
});
