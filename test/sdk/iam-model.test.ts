import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createIamService } from '../../src/http/services/iam.ts';
import type { Iam } from '../../src/iam/iam.ts';
import type { Members, Shape } from '../../src/iam/input.ts';

/** Of botocore's service model: what an operation takes. */
interface ModelShape {
  type: string;
  required?: string[];
  members?: Record<string, ModelShape>;
  of?: ModelShape;
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
}

const SCRIPT = `
import json
from botocore.session import Session
model = Session().get_service_model("iam", api_version="2010-05-08")
def shape(s):
    told = {"type": s.type_name, **{k: s.metadata[k] for k in ("min", "max", "pattern", "required", "enum") if k in s.metadata}}
    if s.type_name == "structure":
        told["members"] = {name: shape(member) for name, member in s.members.items()}
    if s.type_name == "list":
        told["of"] = shape(s.member)
    return told
def input_of(name):
    s = model.operation_model(name).input_shape
    return shape(s) if s else {"type": "structure", "members": {}}
print(json.dumps({name: input_of(name) for name in model.operation_names}))
`;

const python = spawnSync('python3', ['-c', SCRIPT], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
const present = python.status === 0;
if (!present) console.info('skipped: the comparison with the service model needs python3 with botocore');

const service = createIamService({} as Iam);

/** Undefined for what is not supported. */
function membersOf(name: string): Members | undefined {
  const target = `/?Action=${name}&Version=2010-05-08`;
  try {
    return service.ask({ method: 'GET', target, headers: [], body: Buffer.alloc(0) }).operation.input;
  } catch {
    return undefined;
  }
}

function differences(model: ModelShape, ours: Shape, path: string): string[] {
  if (ours.type === 'unsupported') return [`${path} is not supported`];
  if (ours.type !== model.type) return [`${path} is no ${model.type}`];
  switch (ours.type) {
    case 'structure':
      return memberDifferences(model, ours.members, path);
    case 'list':
      return differences(model.of!, ours.of, `${path}[]`);
    case 'string': {
      const pattern = (text: string | undefined) => text?.replace(/\\(?=[/.+])/g, '');
      return [
        ...((ours.min ?? 0) === (model.min ?? 0) ? [] : [`${path} has min ${ours.min}`]),
        ...(model.max === undefined || ours.max === model.max ? [] : [`${path} has max ${ours.max}`]),
        ...(model.pattern === undefined || pattern(ours.pattern?.source) === pattern(model.pattern)
          ? []
          : [`${path} has pattern ${ours.pattern?.source}`]),
        ...(`${ours.oneOf ?? ''}` === `${model.enum ?? ''}` ? [] : [`${path} has enum ${ours.oneOf}`]),
      ];
    }
    case 'integer':
      return ours.min === model.min && ours.max === model.max ? [] : [`${path} has ${ours.min}…${ours.max}`];
    case 'boolean':
      return [];
  }
}

function memberDifferences(model: ModelShape, ours: Members, path: string): string[] {
  const required = new Set(model.required);
  return Object.keys({ ...model.members, ...ours }).flatMap((name) => {
    const [theirs, own] = [model.members?.[name], ours[name]];
    if (!theirs || !own) return [`${path}.${name} is ${theirs ? 'missing' : 'unknown'}`];
    const optional = required.has(name) === (own.required ?? false) ? [] : [`${path}.${name} is required or not`];
    return [...optional, ...differences(theirs, own, `${path}.${name}`)];
  });
}

describe.skipIf(!present)('the parameters of each operation', () => {
  // A marker may be longer, since that behind the longest tag key is.
  it('are those of the service model, with the same constraints', () => {
    const model = JSON.parse(python.stdout) as Record<string, ModelShape>;
    const found = Object.entries(model).flatMap(([name, input]) => {
      const ours = membersOf(name);
      return ours ? memberDifferences(input, ours, name) : [];
    });
    const markers = found.filter((difference) => difference.endsWith('.Marker has max 1024'));
    expect(markers.length).toBeGreaterThan(20);
    expect(found.filter((difference) => !markers.includes(difference))).toEqual([
      'ListServiceSpecificCredentials.AllUsers is not supported',
      'UpdateAccessKey.Status has enum Active,Inactive',
    ]);
  });
});
