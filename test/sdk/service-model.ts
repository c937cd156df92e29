import { spawnSync } from 'node:child_process';
import type { Members, Shape } from '../../src/iam/input.ts';

/** Of botocore's service model. */
export interface ModelShape {
  type: string;
  required?: string[];
  members?: Record<string, ModelShape>;
  of?: ModelShape;
  key?: ModelShape;
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
  /** `uri`, `querystring` or `header`, with the name there; none: in the body. */
  location?: string;
  locationName?: string;
}

export interface ModelOperation {
  method: string;
  path: string;
  input: ModelShape;
  output: ModelShape;
  errors: Record<string, { status: number; shape: ModelShape }>;
}

const SCRIPT = `
import json, sys
from botocore.session import Session
model = Session().get_service_model(sys.argv[1], api_version=sys.argv[2])
KEPT = ("min", "max", "pattern", "required", "enum")
def shape(s):
    told = {"type": s.type_name, **{k: s.metadata[k] for k in KEPT if k in s.metadata}}
    told.update({k: s.serialization[n] for k, n in (("location", "location"), ("locationName", "name")) if n in s.serialization})
    if s.type_name == "structure":
        told["members"] = {name: shape(member) for name, member in s.members.items()}
    if s.type_name == "list":
        told["of"] = shape(s.member)
    if s.type_name == "map":
        told["key"], told["of"] = shape(s.key), shape(s.value)
    return told
def whole(s):
    return shape(s) if s else {"type": "structure", "members": {}}
def operation(o):
    errors = {e.name: {"status": e.metadata["error"].get("httpStatusCode", 400), "shape": whole(e)} for e in o.error_shapes if "error" in e.metadata}
    return {"method": o.http["method"], "path": o.http["requestUri"], "input": whole(o.input_shape), "output": whole(o.output_shape), "errors": errors}
print(json.dumps({name: operation(model.operation_model(name)) for name in model.operation_names}))
`;

/** Undefined where there is no botocore. */
export function loadServiceModel(service: string, version: string): Record<string, ModelOperation> | undefined {
  const python = spawnSync('python3', ['-c', SCRIPT, service, version], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (python.status === 0) return JSON.parse(python.stdout) as Record<string, ModelOperation>;
  console.info('skipped: the comparison with the service model needs python3 with botocore');
  return undefined;
}

/** What our parameters have differently. */
export function inputDifferences(model: ModelShape, ours: Members, path: string): string[] {
  const wanted = new Set(model.required);
  return Object.keys({ ...model.members, ...ours }).flatMap((name) => {
    const [theirs, own] = [model.members?.[name], ours[name]];
    if (!theirs || !own) return [`${path}.${name} is ${theirs ? 'missing' : 'unknown'}`];
    const optional = wanted.has(name) === (own.required ?? false) ? [] : [`${path}.${name} is required or not`];
    return [...optional, ...shapeDifferences(theirs, own, `${path}.${name}`)];
  });
}

const plain = (pattern: string | undefined) => pattern?.replace(/\\(?=[/.+])/g, '');

function shapeDifferences(model: ModelShape, ours: Shape, path: string): string[] {
  if (ours.type === 'unsupported') return [`${path} is not supported`];
  if (ours.type !== model.type) return [`${path} is no ${model.type}`];
  switch (ours.type) {
    case 'structure':
      return inputDifferences(model, ours.members, path);
    case 'list':
      return shapeDifferences(model.of!, ours.of, `${path}[]`);
    case 'map':
      return [
        ...shapeDifferences(model.key!, ours.key, `${path}.key`),
        ...shapeDifferences(model.of!, ours.value, `${path}.value`),
        ...(model.max === undefined || ours.max === model.max ? [] : [`${path} has max ${ours.max}`]),
      ];
    case 'string':
      return [
        ...((ours.min ?? 0) === (model.min ?? 0) ? [] : [`${path} has min ${ours.min}`]),
        ...(model.max === undefined || ours.max === model.max ? [] : [`${path} has max ${ours.max}`]),
        ...(model.pattern === undefined || plain(ours.pattern?.source) === plain(model.pattern)
          ? []
          : [`${path} has pattern ${ours.pattern?.source}`]),
        ...(`${ours.oneOf ?? ''}` === `${model.enum ?? ''}` ? [] : [`${path} has enum ${ours.oneOf}`]),
      ];
    case 'integer':
      return ours.min === model.min && ours.max === model.max ? [] : [`${path} has ${ours.min}…${ours.max}`];
    case 'boolean':
      return [];
  }
}

/** What an answer in JSON has that its shape does not allow, or lacks. */
export function outputDifferences(model: ModelShape, value: unknown, path: string): string[] {
  const wrong = (condition: boolean, what: string) => (condition ? [`${path} ${what}`] : []);
  switch (model.type) {
    case 'structure': {
      if (typeof value !== 'object' || value === null) return [`${path} is no structure`];
      const held = value as Record<string, unknown>;
      const missing = (model.required ?? []).filter((name) => held[name] === undefined);
      return [
        ...missing.map((name) => `${path}.${name} is missing`),
        ...Object.entries(held).flatMap(([name, item]) => {
          const member = model.members?.[name];
          return member ? outputDifferences(member, item, `${path}.${name}`) : [`${path}.${name} is unknown`];
        }),
      ];
    }
    case 'list':
      if (!Array.isArray(value)) return [`${path} is no list`];
      return value.flatMap((item) => outputDifferences(model.of!, item, `${path}[]`));
    case 'map':
      if (typeof value !== 'object' || value === null) return [`${path} is no map`];
      return Object.entries(value).flatMap(([key, item]) => [
        ...outputDifferences(model.key!, key, `${path}.key`),
        ...outputDifferences(model.of!, item, `${path}.value`),
      ]);
    case 'string':
      if (typeof value !== 'string') return [`${path} is no string`];
      return [
        ...wrong(value.length < (model.min ?? 0) || value.length > (model.max ?? Infinity), 'is too short or long'),
        ...wrong(model.pattern !== undefined && !new RegExp(`^(?:${model.pattern})$`).test(value), 'has another form'),
        ...wrong(model.enum !== undefined && !model.enum.includes(value), `is ${value}`),
      ];
    case 'boolean':
      return wrong(typeof value !== 'boolean', 'is no boolean');
    default:
      return wrong(typeof value !== 'number', `is no ${model.type}`);
  }
}
