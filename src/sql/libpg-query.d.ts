/** The WebAssembly of libpg-query, without its wrapper: that one cannot make a new instance when one is broken. */
declare module 'libpg-query/wasm/libpg-query.js' {
  interface PgQueryInstance {
    /** Taken anew after every call: it moves when the memory grows. */
    readonly HEAPU8: Uint8Array;
    readonly HEAPU32: Uint32Array;
    _malloc(size: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    UTF8ToString(pointer: number): string;
  }
  /** What the C library prints (assertions, "Aborted()") is not for the server's own output. */
  export default function create(options: { print: () => void; printErr: () => void }): Promise<PgQueryInstance>;
  export type { PgQueryInstance };
}
