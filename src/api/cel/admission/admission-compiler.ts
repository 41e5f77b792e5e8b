/** Expressions of admission, compiled: of one policy or webhook configuration, as variables are its own. */
import type { Environment } from '@marcbachmann/cel-js';
import type { CelType } from '../cel.ts';
import { Compiler, type Program } from '../compile.ts';
import { Declarations } from '../declare.ts';
import { createEnvironment } from '../environment.ts';
import { authorizerType } from '../library/authorization.ts';
import type { Declared } from '../values.ts';
import { type AdmissionTypes, declareAdmission } from './admission-types.ts';
import { VariablesValue } from './admission-values.ts';

/** Which variables there are, beside those that all have. */
export interface Names {
  readonly params?: boolean;
  readonly authorizer?: boolean;
}

/** An expression, and its program or why it has none. */
export interface Compiled {
  readonly expression: string;
  readonly program?: Program;
  readonly problem?: string;
}

/** Types that a variable keeps for those that name it; of all others nothing is known. */
const kept: ReadonlySet<string> = new Set([
  ...['bool', 'bytes', 'double', 'int', 'null', 'string', 'uint'],
  ...['google.protobuf.Duration', 'google.protobuf.Timestamp'],
]);
/** As messages of upstream name them. */
const shownNames: Readonly<Record<string, string>> = { null: 'null_type' };

export class AdmissionCompiler {
  readonly #compiler: Compiler;
  readonly request: Declared;
  readonly namespaceObject: Declared;
  /** Of the policy, in their order. An expression sees those that were declared before it. */
  readonly variables: Map<string, Compiled> = new Map();
  #hasVariables = false;

  constructor() {
    base ??= declareBase();
    const { request, namespaceObject } = base.types;
    this.#compiler = new Compiler(base.environment.clone());
    this.request = request;
    this.namespaceObject = namespaceObject;
  }

  /** `wanted`: the types that it may give, any where there are none. */
  compile(expression: string, names: Names, wanted: readonly string[]): Compiled {
    const type = (name: string): CelType => this.#compiler.type(name);
    const dyn = type('dyn');
    const program = this.#compiler.compile(
      expression,
      {
        ...{ object: dyn, oldObject: dyn, request: type(this.request.name), namespaceObject: type(this.namespaceObject.name) },
        ...(names.params ? { params: dyn } : {}),
        ...(names.authorizer ? { authorizer: type(authorizerType) } : {}),
        ...(this.#hasVariables ? { variables: type(variablesName) } : {}),
      },
      wanted,
    );
    if ('problem' in program) return { expression, problem: `compilation failed: ${program.problem}` };
    if ('returns' in program) return { expression, problem: mustBe(wanted, program.returns) };
    return { expression, program };
  }

  /** From now on there are variables, though maybe none yet. */
  beginVariables(): void {
    if (this.#hasVariables) return;
    this.#hasVariables = true;
    this.#compiler.openType(variablesName);
  }

  addVariable(name: string, expression: string, names: Names): Compiled {
    this.beginVariables();
    const compiled = this.compile(expression, names, []);
    const type = compiled.program?.type;
    this.#compiler.addField(variablesName, name, type ? visible(type) : 'dyn');
    this.variables.set(name, compiled);
    return compiled;
  }
}

const variablesName = 'kubernetes.variables';

let base: { readonly environment: Environment; readonly types: AdmissionTypes } | undefined;

/** Declared once for all compilers. */
function declareBase(): { readonly environment: Environment; readonly types: AdmissionTypes } {
  const environment = createEnvironment();
  const declarations = new Declarations(environment);
  declarations.open(variablesName, VariablesValue);
  return { environment, types: declareAdmission(declarations) };
}

/** What a variable is known to be. */
function visible(type: CelType & { readonly keyType?: CelType }): string {
  if (type.kind === 'list' && type.valueType) return `list<${visible(type.valueType)}>`;
  if (type.kind === 'map' && type.valueType && type.keyType) return `map<${visible(type.keyType)}, ${visible(type.valueType)}>`;
  return kept.has(type.name) ? type.name : 'dyn';
}

function mustBe(wanted: readonly string[], type: string): string {
  const names = wanted.map((name) => shownNames[name] ?? name);
  return `must evaluate to ${names.length === 1 ? names[0] : `one of [${names.join(' ')}]`} but got ${shownNames[type] ?? type}`;
}
