/**
 * The part of the "metadata reflection" proposal that @peculiar/x509's dependency injection (tsyringe) cannot load
 * without: a map of values for each object. Nothing is replaced where it is there already.
 */
interface MetadataReflect {
  getMetadata?(key: unknown, target: object): unknown;
  getOwnMetadata?(key: unknown, target: object): unknown;
  defineMetadata?(key: unknown, value: unknown, target: object): void;
}

const metadata = new WeakMap<object, Map<unknown, unknown>>();

export function installReflectMetadata(reflect: MetadataReflect = Reflect as MetadataReflect): void {
  if (reflect.getMetadata !== undefined) return;
  const own = (key: unknown, target: object): unknown => metadata.get(target)?.get(key);
  reflect.getOwnMetadata = own;
  reflect.getMetadata = (key, target) => {
    for (let object: object | null = target; object !== null; object = Object.getPrototypeOf(object)) {
      if (metadata.get(object)?.has(key)) return own(key, object);
    }
    return undefined;
  };
  reflect.defineMetadata = (key, value, target) => {
    const values = metadata.get(target) ?? new Map<unknown, unknown>();
    metadata.set(target, values.set(key, value));
  };
}
