import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AuthorizerValue } from '../library/authorization.ts';
import { AdmissionCompiler } from './admission-compiler.ts';
import { type AdmissionInput, AdmissionValues } from './admission-values.ts';
import { BudgetError, Evaluation } from './evaluation.ts';
import { matchAll } from './match-conditions.ts';

const object = {
  metadata: { name: 'a', labels: { a: 'b', 'x/y': '' }, creationTimestamp: null },
  spec: { replicas: 3, half: 0.5, list: [{ name: 'q', n: 1.5 }, { name: 'r' }] },
};
const input: AdmissionInput = {
  object: () => object,
  oldObject: () => undefined,
  request: () => ({
    kind: { kind: 'Pod' },
    operation: 'CREATE',
    userInfo: { username: 'me', groups: ['g'] },
    options: { kind: 'CreateOptions' },
  }),
  namespaceObject: { metadata: { name: 'ns', labels: { e: 'p' } } },
  authorizer: () =>
    new AuthorizerValue(
      { name: 'me', groups: [] },
      ({ name }, verb, access) => ({ allowed: verb === 'get', reason: `${name} ${access.path}${access.resource}` }),
      {
        resource: 'pods',
      },
    ),
};

/** What an expression gives, why it fails, or why it does not compile. */
function said(compiler: AdmissionCompiler, expression: string): unknown {
  const compiled = compiler.compile(expression, { authorizer: true }, []);
  if (!compiled.program) return compiled.problem;
  const outcome = new Evaluation(new AdmissionValues(input, compiler), 1_000_000).evaluate(compiled);
  return 'error' in outcome ? outcome.error.replace(/^expression '.*' resulted in error: /s, 'error: ') : outcome.value;
}

describe('expressions of admission', () => {
  for (const [expression, wanted] of [
    ["object.metadata.name == 'a' && object.spec.replicas > 2 && object.spec.half < 1.0", true],
    ['object.spec.list.all(x, has(x.name)) && object.spec.list.exists(x, x.?n.orValue(0) == 1.5)', true],
    ["object.metadata.labels.all(k, k in ['a', 'x/y']) && object.metadata.creationTimestamp == null", true],
    ['oldObject == null && !has(oldObject.x) && !oldObject.?x.hasValue()', true],
    ['oldObject.x', 'error: no such key: x'],
    ['object.metadata.name + 1 == 2', 'error: no such overload'],
    ["request.userInfo.username == 'me' && 'g' in request.userInfo.groups && request.options.kind == 'CreateOptions'", true],
    ['has(request.name) || has(request.userInfo.extra)', false],
    ['request.name', 'error: no such key: name'],
    ['request.object', 'compilation failed: no such key: object'],
    ["namespaceObject != null && namespaceObject.metadata.labels['e'] == 'p'", true],
    ['namespaceObject.nope', 'compilation failed: no such key: nope'],
    ["authorizer.group('').resource('pods').check('get').allowed() && !authorizer.path('/x').check('put').allowed()", true],
    ["authorizer.requestResource.check('get').reason()", 'me pods'],
    ["authorizer.serviceAccount('ns', 'n').path('/x').check('get').reason()", 'system:serviceaccount:ns:n /x'],
    ["authorizer.serviceAccount('NS', 'n').path('/x').check('get').allowed()", 'error: Invalid service account namespace'],
    ["authorizer.path(' ')", 'error: path must not be empty'],
    ["authorizer.requestResource.check('get').errored() || authorizer.requestResource.check('get').error() != ''", false],
    ['params', 'compilation failed: Unknown variable: params'],
    ['variables.x', 'compilation failed: Unknown variable: variables'],
    [
      "[1, 2, 3, 4, 5, 6, 7, 8].all(x, authorizer.requestResource.check('get').allowed())",
      'error: operation cancelled: actual cost limit exceeded',
    ],
  ] as const)
    test(expression, () => assert.deepEqual(said(new AdmissionCompiler(), expression), wanted));

  test('a variable sees those before it, and is evaluated once', () => {
    const compiler = new AdmissionCompiler();
    compiler.addVariable('replicas', 'int(object.spec.replicas)', {});
    assert.equal(compiler.addVariable('early', 'variables.late', {}).problem, 'compilation failed: no such key: late');
    compiler.addVariable('late', "variables.replicas * 2 == 6 ? 'x' : 'y'", {});
    compiler.addVariable('names', 'object.spec.list.map(x, x.name)', {});
    compiler.addVariable('bad', 'object.nope', {});
    compiler.addVariable('check', 'authorizer.requestResource', { authorizer: true });
    assert.equal(said(compiler, "variables.late == 'x' && variables.names.join(',') == 'q,r'"), true);
    assert.equal(said(compiler, "variables.check.check('get').allowed()"), true);
    assert.equal(said(compiler, "variables.late + 1 == ''"), 'compilation failed: no such overload');
    assert.equal(said(compiler, 'variables.bad == 1'), 'error: composited variable "bad" fails to evaluate: no such key: nope');
    assert.match(
      String(said(compiler, 'variables.early == 1')),
      /^error: composited variable "early" fails to compile: compilation failed: /,
    );
    // One compiler's are not another's.
    const other = new AdmissionCompiler();
    other.addVariable('mine', '1', {});
    assert.equal(said(other, 'variables.late'), 'compilation failed: no such key: late');
  });

  test('a type that is not wanted is told', () => {
    const compiler = new AdmissionCompiler();
    assert.equal(compiler.compile('1', {}, ['bool']).problem, 'must evaluate to bool but got int');
    assert.equal(compiler.compile('1', {}, ['string', 'null']).problem, 'must evaluate to one of [string null_type] but got int');
    assert.equal(compiler.compile('object.x', {}, ['bool']).problem, 'must evaluate to bool but got dyn');
  });

  test('what is spent is spent, for variables, too', () => {
    const compiler = new AdmissionCompiler();
    const loop = 'lists.range(600).all(x, lists.range(300).all(y, x + y >= 0))';
    compiler.addVariable('loop', loop, {});
    const values = new AdmissionValues(input, compiler);
    const evaluation = new Evaluation(values, 1_500_000);
    assert.deepEqual(evaluation.evaluate(compiler.compile('variables.loop', {}, [])), {
      error: `expression 'variables.loop' resulted in error: composited variable "loop" fails to evaluate: operation cancelled: actual cost limit exceeded`,
    });
    assert.throws(() => evaluation.evaluate(compiler.compile(loop, {}, [])), BudgetError);
  });
});

describe('matchAll()', () => {
  const compiler = new AdmissionCompiler();
  const values = new AdmissionValues(input, compiler);
  const match = (policy: string, ...conditions: string[]): unknown =>
    matchAll(
      conditions.map((one) => compiler.compile(one, {}, ['bool'])),
      values,
      policy,
    );
  const error = "expression 'object.no == 1' resulted in error: no such key: no";

  test('all are true', () => assert.equal(match('Fail', 'true', 'object != null'), true));
  test('one is false, whatever else fails', () => assert.equal(match('Fail', 'object.no == 1', 'false'), false));
  test('one fails', () => assert.deepEqual(match('Fail', 'object.no == 1', 'true', 'object.no == 1'), { error }));
  test('some fail', () =>
    assert.deepEqual(match('Fail', 'object.no == 1', 'object.no == 2'), { error: `[${error}, ${error.replace('1', '2')}]` }));
  test('one fails that may', () => assert.equal(match('Ignore', 'object.no == 1', 'true'), false));
});
