/** Requests, limits and claims of a container, or of a pod as a whole. */
import { compareQuantity, quantityOf, value } from '../quantity/quantity.ts';
import type { ResourceRequirements } from '../schema/types.ts';
import { duplicate, eachEntry, eachOf, emptyOrWellFormed, type FieldError, forbidden, invalid, required } from './field-error.ts';
import { isDns1123Label } from './names.ts';
import { amountErrors, isHugePage, mayOvercommit } from './resource-name.ts';

type NameCheck = (name: string, path: string) => FieldError[];

/** `claims` are the names that the pod has in `resourceClaims`. */
export function requirementsErrors(
  resources: ResourceRequirements | undefined,
  path: string,
  nameErrors: NameCheck,
  claims: ReadonlySet<string>,
): FieldError[] {
  const { limits = {}, requests = {} } = resources ?? {};
  const amountsOf = (amounts: Readonly<Record<string, string>>, at: string): FieldError[] =>
    eachEntry(amounts, (name, text) => [
      ...nameErrors(name, `${at}[${name}]`),
      ...amountErrors(name, text, `${at}[${name}]`),
      ...hugePageErrors(name, text, `${at}[${name}]`),
    ]);
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  return [
    ...amountsOf(limits, `${path}.limits`),
    ...amountsOf(requests, `${path}.requests`),
    ...eachEntry(requests, (name, text) => ratioErrors(name, text, limits[name], path)),
    ...(names.some(isHugePage) && !names.some((name) => name === 'cpu' || name === 'memory')
      ? [forbidden(path, 'HugePages require cpu or memory')]
      : []),
    ...claimErrors(resources?.claims, `${path}.claims`, claims),
  ];
}

/** A request is at most its limit. Of a resource that cannot be overcommitted both must be equal. */
function ratioErrors(name: string, text: string, limitText: string | undefined, path: string): FieldError[] {
  const at = `${path}.requests`;
  if (limitText === undefined) {
    return mayOvercommit(name) ? [] : [required(`${path}.limits`, 'Limit must be set for non overcommitable resources')];
  }
  const [request, limit] = [quantityOf(text), quantityOf(limitText)];
  if (!request || !limit) return [];
  const order = compareQuantity(request, limit);
  if (order !== 0 && !mayOvercommit(name)) return [invalid(at, text, `must be equal to ${name} limit of ${limitText}`)];
  return order > 0 ? [invalid(at, text, `must be less than or equal to ${name} limit of ${limitText}`)] : [];
}

/** The amount of huge pages is a multiple of the page size in the resource's name. */
function hugePageErrors(name: string, text: string, path: string): FieldError[] {
  if (!isHugePage(name)) return [];
  const [size, amount] = [quantityOf(name.slice('hugepages-'.length)), quantityOf(text)];
  if (!amount || (size && value(size) > 0n && value(amount) % value(size) === 0n)) return [];
  return [invalid(path, text, `${text} is not positive integer multiple of ${name}`)];
}

function claimErrors(
  list: readonly { readonly name: string; readonly request?: string | undefined }[] | undefined,
  path: string,
  claims: ReadonlySet<string>,
): FieldError[] {
  const seen = new Set<string>();
  return eachOf(list, path, ({ name, request }, at) => {
    if (!name) return [required(at)];
    const errors = emptyOrWellFormed(request, `${at}.request`, isDns1123Label);
    const key = request ? `${name}/${request}` : name;
    const taken = seen.has(name) || seen.has(key) || (!request && [...seen].some((one) => one.startsWith(`${name}/`)));
    if (taken) errors.push(duplicate(at, key));
    seen.add(key);
    if (claims.has(name)) return errors;
    const known = claims.size === 0 ? ' which is empty' : `: ${[...claims].toSorted().join(', ')}`;
    const detail = `must be one of the names in pod.spec.resourceClaims${known}`;
    return [...errors, { type: 'FieldValueNotFound', path: at, value: name, detail }];
  });
}
