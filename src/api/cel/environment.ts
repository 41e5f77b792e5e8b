/** The language as Kubernetes has it: the package's, with the functions of k8s.io/apiserver/pkg/cel/library and of cel-go's extensions. */
import type { Environment } from '@marcbachmann/cel-js';
import { celPackage } from './cel.ts';
import { registerAddresses } from './library/addresses.ts';
import { registerAuthorization } from './library/authorization.ts';
import { registerLists } from './library/lists.ts';
import { registerMacros } from './library/macros.ts';
import { registerNamedFormats } from './library/named-formats.ts';
import { registerQuantities } from './library/quantities.ts';
import { registerSemvers } from './library/semvers.ts';
import { registerTexts } from './library/texts.ts';
import { registerTimes } from './library/times.ts';
import { registerUrls } from './library/urls.ts';

let base: Environment | undefined;

/** A new one, in which the types of a schema may be declared. */
export function createEnvironment(): Environment {
  base ??= createBase();
  return base.clone();
}

function createBase(): Environment {
  const { Environment } = celPackage();
  const environment = new Environment({
    enableOptionalTypes: true,
    // Looked at by `compile.ts`, which lets the arguments of `format` be of any types.
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 20_000, maxListElements: 5_000, maxMapEntries: 1_000 },
  } as never);
  const libraries = [
    ...[registerTexts, registerLists, registerTimes, registerAddresses, registerQuantities, registerUrls, registerSemvers],
    ...[registerNamedFormats, registerAuthorization, registerMacros],
  ];
  for (const add of libraries) add(environment);
  environment.registerOperator('optional<dyn> == null', () => false);
  environment.registerOperator('optional<A> == optional<A>', (a: unknown, b: unknown) => a === b);
  return environment;
}
