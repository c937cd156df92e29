import type { Identity } from '../iam/identity.ts';
import type { InputOf, Members, RawInput } from '../iam/input.ts';
import type { RequestContext } from '../iam/request-facts.ts';

/** What a caller must be allowed: an action on an ARN, or on `*` where AWS defines no resource. */
export interface Need {
  action: string;
  resource: string;
  /** Condition keys of this action, lower case -> values, such as `iam:policyarn`; they go over those of the request. */
  context?: Readonly<Record<string, readonly string[]>>;
}

/** Nothing for operations without an output in the service model. */
// biome-ignore lint/suspicious/noConfusingVoidType: it is what a function without a result promises.
export type Output = object | void;

/** One row of a service's table. */
export interface Operation<Input = unknown> {
  /** The parameters and their constraints. */
  input: Members;
  /** All must be allowed before `run`; none: every valid key may, or the operation decides for itself. */
  needs(input: Input, caller: Identity): readonly Need[];
  /** Dates become the protocol's timestamps, arrays its lists; undefined members are left out. */
  /** `context` is what the front knows of the request, for operations that decide for themselves. */
  run(input: Input, caller: Identity, context: RequestContext): Promise<Output>;
}

/**
 * What may be called without a signature: it has no caller and decides for itself. Another type than an operation, so
 * that none can be taken for the other.
 */
export interface UnsignedOperation<Input = unknown> {
  input: Members;
  runUnsigned(input: Input, context: RequestContext): Promise<Output>;
}

export type Operations = Readonly<Record<string, Operation>>;

/** Ties the parameters' constraints to the type that `needs` and `run` get. */
export function operation<const M extends Members>(
  input: M,
  needs: (input: InputOf<M>, caller: Identity) => readonly Need[],
  run: (input: InputOf<M>, caller: Identity, context: RequestContext) => Promise<Output>,
): Operation {
  return { input, needs, run } as Operation<InputOf<M>> as Operation;
}

export function unsignedOperation<const M extends Members>(
  input: M,
  runUnsigned: (input: InputOf<M>, context: RequestContext) => Promise<Output>,
): UnsignedOperation {
  return { input, runUnsigned } as UnsignedOperation<InputOf<M>> as UnsignedOperation;
}

/** An HTTP request, read whole. */
export interface HttpRequest {
  method: string;
  /** As it stands in the request line. */
  target: string;
  /** In order, names as sent. */
  headers: readonly (readonly [string, string])[];
  body: Buffer;
}

export interface HttpAnswer {
  status: number;
  contentType: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** What a request asks for, before any of it is checked. */
export interface Asked {
  name: string;
  operation: Operation;
  input: RawInput;
}

/** What went wrong, in the words of a service. */
export interface Fault {
  status: number;
  code: string;
  message: string;
  /** Further members of the error, such as the id of a resource. */
  fields: Readonly<Record<string, string>>;
}

/** How operations and errors travel: one row for query-xml, one for rest-json. */
export interface Protocol {
  kind: 'query' | 'rest';
  answer(name: string, output: Output, requestId: string): HttpAnswer;
  fault(fault: Fault, requestId: string): HttpAnswer;
}

export interface Service {
  protocol: Protocol;
  /** Throws Refused `unknown-operation`, `validation` or `request-too-large`. */
  ask(request: HttpRequest): Asked;
}
