import { parseUserArn } from './arn.ts';
import { type Iam, invalidInput } from './iam.ts';
import { type InputOf, type Members, required, UNSUPPORTED } from './input.ts';
import { readAddress } from './policy/addresses.ts';
import { contextOf } from './policy/context.ts';
import { isArn, readBinary, readBoolean, readDate, readNumber } from './policy/values.ts';
import {
  actionName,
  arn,
  contextKeyName,
  contextKeyType,
  contextKeyValue,
  paging,
  policyDocument,
  policyInputList,
  resourceName,
} from './shapes.ts';

const contextEntry = {
  type: 'structure',
  members: {
    ContextKeyName: contextKeyName,
    ContextKeyValues: { type: 'list', of: contextKeyValue, max: 1000 },
    ContextKeyType: contextKeyType,
  },
} as const;

const SIMULATION = {
  PermissionsBoundaryPolicyInputList: policyInputList,
  ActionNames: required({ type: 'list', of: actionName, max: 1000 }),
  ResourceArns: { type: 'list', of: resourceName, max: 1000 },
  ResourcePolicy: policyDocument,
  ResourceOwner: resourceName,
  CallerArn: resourceName,
  ContextEntries: { type: 'list', of: contextEntry, max: 1000 },
  /** Scenarios of Amazon EC2, each with the resources that must be given. */
  ResourceHandlingOption: UNSUPPORTED,
  ...paging,
} as const satisfies Members;

export const SIMULATE_CUSTOM_POLICY = { PolicyInputList: required(policyInputList), ...SIMULATION } as const;
export const SIMULATE_PRINCIPAL_POLICY = {
  PolicySourceArn: required(arn),
  PolicyInputList: policyInputList,
  ...SIMULATION,
} as const;

export type SimulationInput = InputOf<typeof SIMULATION>;

/** All answers together may be this many: each of the actions on each of the resources. */
const MAX_ANSWERS = 10_000;
const ACTION = /^[a-z0-9-]+:[a-z0-9_.-]+$/i;

/** What shall be simulated. `resources` is undefined where it is everything, `*`. Throws Refused `invalid-input`. */
export function readQuestions({ ActionNames: actions, ResourceArns }: SimulationInput): {
  actions: readonly string[];
  resources: readonly string[] | undefined;
} {
  if (actions.length === 0) throw invalidInput('ActionNames must name an action.');
  for (const action of actions) {
    if (!ACTION.test(action)) throw invalidInput(`The action ${action} is not valid.`);
  }
  const resources = ResourceArns?.length ? ResourceArns : ['*'];
  const invalid = resources.filter((resource) => resource !== '*' && !isArn(resource));
  if (invalid.length > 0) throw invalidInput(`ResourceNames are not in a valid ARN format: ${invalid.join(', ')}.`);
  if (actions.length * resources.length > MAX_ANSWERS) {
    throw invalidInput(`A simulation cannot have more than ${MAX_ANSWERS} combinations of actions and resources.`);
  }
  return { actions, resources: resources.length === 1 && resources[0] === '*' ? undefined : resources };
}

const OWNER = /^arn:aws:iam::(\d{12}):root$/;

/**
 * The user who would call, and the account that owns the resources whose ARNs do not say. `byDefault` is the ARN of the
 * user whose policies are simulated, if it is one. Throws Refused `invalid-input`.
 */
export function readParties(
  { account }: Iam,
  { CallerArn = '', ResourceOwner, ResourcePolicy }: SimulationInput,
  byDefault: string | undefined,
): { caller: { arn: string; account: string } | undefined; owner: string } {
  const arn = CallerArn === '' ? byDefault : CallerArn;
  if (arn === undefined && ResourcePolicy !== undefined) {
    throw invalidInput('Invalid caller - Caller cannot be null or empty.');
  }
  const user = arn === undefined ? undefined : parseUserArn(arn);
  if (arn !== undefined && !user) throw invalidInput('Invalid caller - Caller must be an IAM user in this context.');
  const owner = ResourceOwner === undefined ? undefined : OWNER.exec(ResourceOwner)?.[1];
  if (ResourceOwner !== undefined && owner === undefined) {
    throw invalidInput(`'${ResourceOwner}' is not a valid as a Resource Owner.`);
  }
  const caller = arn !== undefined && user ? { arn, account: user.account } : undefined;
  return { caller, owner: owner ?? caller?.account ?? account };
}

type ContextKeyType = (typeof contextKeyType.oneOf)[number];
type ValueType = Exclude<ContextKeyType, `${string}List`>;

/** Whether a text is a value of the type; those that condition operators would read. */
const IS_VALUE: Readonly<Record<ValueType, (text: string) => boolean>> = {
  string: () => true,
  numeric: (text) => readNumber(text) !== undefined,
  boolean: (text) => readBoolean(text) !== undefined,
  ip: (text) => readAddress(text) !== undefined,
  binary: (text) => readBinary(text) !== undefined,
  date: (text) => readDate(text) !== undefined,
};

/**
 * The context, which has nothing but what the call says. `length` is that of all values together, in characters. Throws
 * Refused `invalid-input`.
 */
export function readContext({ ContextEntries = [] }: SimulationInput) {
  const values = new Map<string, readonly string[]>();
  let length = 0;
  for (const { ContextKeyName: name, ContextKeyValues: list, ContextKeyType: type } of ContextEntries) {
    if (name === undefined || list === undefined || type === undefined) {
      throw invalidInput('A context entry needs ContextKeyName, ContextKeyValues and ContextKeyType.');
    }
    const key = name.toLowerCase();
    if (values.has(key)) throw invalidInput(`The context key ${name} is given twice.`);
    const isList = type.endsWith('List');
    if (!isList && list.length !== 1) throw invalidInput(`The context key ${name} of type ${type} needs one value.`);
    const isValue = IS_VALUE[type.replace(/List$/, '') as ValueType];
    if (!list.every(isValue)) throw invalidInput(`A value of the context key ${name} is not of type ${type}.`);
    values.set(key, list);
    length += list.reduce((sum, value) => sum + value.length, 0);
  }
  return { context: contextOf(Object.fromEntries(values)), given: new Set(values.keys()), length };
}
