/** What expressions of admission see of a request. Each value is made when an expression names it, and once. */
import { wordsOf } from '../evaluate.ts';
import type { AuthorizerValue } from '../library/authorization.ts';
import { costLimits, metered, RuleError } from '../meter.ts';
import { type Declared, DeclaredObject, dynamicFrom, type Field } from '../values.ts';
import type { Compiled } from './admission-compiler.ts';

/** As JSON has them; null for what is not there. Objects are those of the version that is asked about. */
export interface AdmissionInput {
  readonly object: () => object | undefined;
  readonly oldObject: () => object | undefined;
  readonly request: () => object;
  /** As conditions see it: with the resource that was asked for, where a policy is asked about another version. */
  readonly originalRequest?: (() => object) | undefined;
  readonly params?: object | undefined;
  readonly namespaceObject?: object | undefined;
  readonly authorizer: () => AuthorizerValue;
}

/** Of a compiler. */
interface Types {
  readonly request: Declared;
  readonly namespaceObject: Declared;
  readonly variables: ReadonlyMap<string, Compiled>;
}

/** Objects of a request, made for all that look at the same version of it. */
export class SharedObjects {
  readonly #input: AdmissionInput;
  #object: unknown;
  #oldObject: unknown;

  constructor(input: AdmissionInput) {
    this.#input = input;
  }

  get object(): unknown {
    this.#object ??= dynamicFrom(this.#input.object());
    return this.#object;
  }

  get oldObject(): unknown {
    this.#oldObject ??= dynamicFrom(this.#input.oldObject());
    return this.#oldObject;
  }
}

export class AdmissionValues {
  readonly [name: string]: unknown;
  readonly #input: AdmissionInput;
  readonly #types: Types;
  readonly #shared: SharedObjects;
  #request: unknown;
  #params: unknown;
  #namespaceObject: unknown;
  #authorizer: AuthorizerValue | undefined;
  #variables: VariablesValue | undefined;
  /** What variables have cost since somebody asked. */
  #cost = 0;

  constructor(input: AdmissionInput, types: Types, shared: SharedObjects = new SharedObjects(input)) {
    this.#input = input;
    this.#types = types;
    this.#shared = shared;
  }

  get object(): unknown {
    return this.#shared.object;
  }

  get oldObject(): unknown {
    return this.#shared.oldObject;
  }

  get request(): unknown {
    this.#request ??= this.#types.request.of(this.#input.request());
    return this.#request;
  }

  get params(): unknown {
    this.#params ??= dynamicFrom(this.#input.params);
    return this.#params;
  }

  get namespaceObject(): unknown {
    const { namespaceObject } = this.#input;
    this.#namespaceObject ??= namespaceObject ? this.#types.namespaceObject.of(namespaceObject) : null;
    return this.#namespaceObject;
  }

  get authorizer(): unknown {
    this.#authorizer ??= this.#input.authorizer();
    return this.#authorizer;
  }

  get variables(): unknown {
    this.#variables ??= new VariablesValue((name) => this.#variable(name));
    return this.#variables;
  }

  /** And forgets it. */
  takeCost(): number {
    const cost = this.#cost;
    this.#cost = 0;
    return cost;
  }

  /** It has a limit of its own, as upstream. */
  #variable(name: string): unknown {
    const compiled = this.#types.variables.get(name);
    if (!compiled) return undefined;
    const { expression, program, problem } = compiled;
    if (!program) throw new RuleError(`composited variable ${JSON.stringify(name)} fails to compile: ${problem ?? ''}`);
    const { cost, value, error } = metered(costLimits.perRule, expression.length, () => program.run(this));
    this.#cost += cost;
    if (error !== undefined) throw new RuleError(`composited variable ${JSON.stringify(name)} fails to evaluate: ${wordsOf(error)}`);
    return value;
  }
}

/** `variables`: each is evaluated when it is asked for, and once. */
export class VariablesValue extends DeclaredObject {
  readonly fields: ReadonlyMap<string, Field> = new Map();
  readonly #evaluate: (name: string) => unknown;
  readonly #known = new Map<string, { readonly value?: unknown; readonly error?: unknown }>();

  constructor(evaluate: (name: string) => unknown) {
    super({});
    this.#evaluate = evaluate;
  }

  override get(name: string): unknown {
    let known = this.#known.get(name);
    if (!known) {
      known = this.#ask(name);
      this.#known.set(name, known);
    }
    if (known.error !== undefined) throw known.error;
    return known.value;
  }

  #ask(name: string): { readonly value?: unknown; readonly error?: unknown } {
    try {
      return { value: this.#evaluate(name) };
    } catch (error) {
      return { error };
    }
  }
}
