/** What is read of solc's standard output, as Hardhat keeps it with its build info. */
export interface BuildOutput {
  output: {
    contracts: Record<string, Record<string, { storageLayout?: StorageLayout }>>
    sources: Record<string, { ast: unknown }>
  }
}

interface StorageLayout {
  storage: Variable[]
  types: Record<string, { label: string; numberOfBytes: string; members?: Variable[] }>
}

interface Variable {
  label: string
  slot: string
  offset: number
  type: string
}

/** Place of a field within its struct: slot, first byte counted from the right of the word, size. */
interface FieldPlace {
  slot: number
  offset: number
  bytes: number
}

/** Names of immutable variables by the id of their declaration, which is how solc names them. */
export function immutableNames({ output }: BuildOutput): Map<number, string> {
  const names = new Map<number, string>()
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const { nodeType, mutability, id, name } = node as Record<string, unknown>
    if (nodeType === 'VariableDeclaration' && mutability === 'immutable') {
      names.set(Number(id), String(name))
    }
    for (const child of Object.values(node)) visit(child)
  }
  for (const { ast } of Object.values(output.sources)) visit(ast)
  return names
}

/** Where a contract keeps variables, and the fields of structs, by name. @throws Error if one is not there. */
export function layoutOf(
  { output }: BuildOutput,
  file: string,
  contract: string,
  wanted: { variables: readonly string[]; structs: readonly string[] },
): { slots: Record<string, number>; structs: Record<string, Record<string, FieldPlace>> } {
  const source = Object.keys(output.contracts).find((name) => name.endsWith(file))
  const layout = source && output.contracts[source]?.[contract]?.storageLayout
  if (!layout)
    throw new Error(
      `No storage layout of ${contract}: run \`npm run build -w @liquefy/contracts\`.`,
    )
  const slots: Record<string, number> = {}
  for (const name of wanted.variables) {
    const variable = layout.storage.find(({ label }) => label === name)
    if (!variable) throw new Error(`${contract} has no variable ${name}: adapt generate.ts.`)
    slots[name] = Number(variable.slot)
  }
  const structs: Record<string, Record<string, FieldPlace>> = {}
  for (const name of wanted.structs) {
    const struct = Object.values(layout.types).find(
      ({ label }) => label.endsWith(`.${name}`) && label.startsWith('struct '),
    )
    if (!struct?.members) throw new Error(`${contract} has no struct ${name}: adapt generate.ts.`)
    structs[name] = Object.fromEntries(
      struct.members.map(({ label, slot, offset, type }) => [
        label,
        { slot: Number(slot), offset, bytes: Number(layout.types[type]?.numberOfBytes) },
      ]),
    )
  }
  return { slots, structs }
}
