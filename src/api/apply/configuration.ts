/** Checks an applied configuration: fields must be declared, values of the right kind, and names of list entries unique. */
import { isObject } from '../codec/json-object.ts';
import { formatQuantity, quantityOf } from '../quantity/quantity.ts';
import { elementText } from './field-set.ts';
import type { Shape } from './shape.ts';
import { elementOf } from './typed.ts';

/** Upstream lists all errors, of which one broken template can have thousands. */
const most = 100;

/**
 * The errors of an applied configuration, as upstream words them (`.spec.foo: field not declared in schema`). Brings quantities **in
 * place** into the form in which objects are stored: applied again, `1000m` is no change of `1`.
 */
export function checkConfiguration(config: unknown, shape: Shape): string[] {
  const errors: string[] = [];
  check(config, shape, '', errors);
  return errors;
}

/** Several errors as one text. */
export function errorsText(errors: readonly string[]): string {
  return errors.length === 1 ? (errors[0] as string) : ['errors:', ...errors.map((one) => `  ${one}`)].join('\n');
}

function check(value: unknown, shape: Shape, path: string, errors: string[]): void {
  if (value === null || shape.kind === 'any') return;
  const wrong = (text: string): void => {
    if (errors.length < most) errors.push(path === '' ? text : `${path}: ${text}`);
  };
  if (shape.kind === 'scalar') {
    const text = wrongScalar(value, shape);
    if (text !== undefined) wrong(text);
  } else if (shape.kind === 'list') {
    if (Array.isArray(value)) checkList(value, shape, path, errors, wrong);
    else wrong(`expected list, got ${shown(value)}`);
  } else if (!isObject(value)) {
    wrong(`expected map, got ${shown(value)}`);
  } else checkMap(value, shape, path, errors);
}

function checkMap(map: Record<string, unknown>, shape: Shape, path: string, errors: string[]): void {
  for (const name of Object.keys(map)) {
    const member = shape.member(name);
    const inner = `${path}.${name}`;
    if (member) {
      check(map[name], member, inner, errors);
      if (member.isQuantity) map[name] = canonical(map[name]);
    } else if (errors.length < most) errors.push(`${inner}: field not declared in schema`);
  }
}

function checkList(list: unknown[], shape: Shape, path: string, errors: string[], wrong: (text: string) => void): void {
  const seen = new Set<string>();
  const element = shape.element as Shape;
  for (let i = 0; i < list.length; i++) {
    let text = `[${i}]`;
    if (!shape.atomic) {
      const name = elementOf(list[i], shape);
      // Without its name an entry has no path for further errors.
      if (name === undefined) {
        wrong(`element ${i}: ${withoutName(list[i], shape)}`);
        return;
      }
      text = elementText(name);
      if (seen.has(name)) wrong(`duplicate entries for key ${text}`);
      seen.add(name);
    }
    check(list[i], element, `${path}${text}`, errors);
    if (element.isQuantity) list[i] = canonical(list[i]);
  }
}

function withoutName(item: unknown, { keys }: Shape): string {
  if (keys.length === 0) {
    if (item === null) return "associative list without keys has an element that's an explicit null";
    return Array.isArray(item)
      ? 'not supported: associative list with lists as elements'
      : "associative list without keys has an element that's a map type";
  }
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  const names = `[${keys.map((key) => JSON.stringify(key)).join(' ')}]`;
  return `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`;
}

function wrongScalar(value: unknown, { scalar }: Shape): string | undefined {
  const type = typeof value;
  switch (scalar) {
    case 'string':
      return type === 'string' ? undefined : `expected string, got ${shown(value)}`;
    case 'numeric':
      return type === 'number' ? undefined : `expected numeric (int or float), got ${shown(value)}`;
    case 'boolean':
      return type === 'boolean' ? undefined : `expected boolean, got ${shown(value)}`;
    default:
      return type === 'object' ? `expected any scalar, got ${shown(value)}` : undefined;
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'list';
  return typeof value === 'object' ? 'map' : JSON.stringify(value);
}

/** What is no quantity stays as it is: the checks of the merged object refuse it. */
function canonical(value: unknown): unknown {
  const quantity = typeof value === 'string' || typeof value === 'number' ? quantityOf(value) : undefined;
  return quantity ? formatQuantity(quantity) : value;
}
