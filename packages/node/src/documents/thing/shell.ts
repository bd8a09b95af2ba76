import type { AasElement, ShellEnvironment } from '@liquefy/client'
import { english, external, idShortOf } from './aas-elements.ts'
import { identityOf } from './identity.ts'
import { nameplate } from './nameplate.ts'
import type { ThingInput } from './thing-input.ts'
import { timeSeries } from './time-series.ts'

/** The metamodel takes 128 characters; a machine's id has at most 78. */
const LABEL_CHARACTERS = 64

/** A machine as an Asset Administration Shell (IDTA 01001-3-0), with nameplate and time series. */
export function shellEnvironment(input: ThingInput): ShellEnvironment {
  const { machine, deployment } = input
  const identity = identityOf(machine, deployment)
  const ids = {
    nameplate: `${identity.id}#Nameplate`,
    timeSeries: `${identity.id}#TimeSeries`,
    concepts: `${identity.id}#concept-`,
  }
  const { submodel, concepts } = timeSeries(ids.timeSeries, ids.concepts, input)
  const shell: AasElement = {
    modelType: 'AssetAdministrationShell',
    id: `${identity.id}#AssetAdministrationShell`,
    idShort: idShortOf(`Machine_${machine.machineId}`),
    displayName: english(machine.name.slice(0, LABEL_CHARACTERS)),
    assetInformation: {
      assetKind: 'Instance',
      globalAssetId: identity.id,
      specificAssetIds: specificAssetIds(identity),
    },
    submodels: [ids.nameplate, ids.timeSeries].map((value) => ({
      type: 'ModelReference',
      keys: [{ type: 'Submodel', value }],
    })),
  }
  return {
    assetAdministrationShells: [shell],
    submodels: [nameplate(ids.nameplate, input), submodel],
    ...(concepts.length === 0 ? {} : { conceptDescriptions: concepts }),
  }
}

function specificAssetIds({ caip19, did, serial }: ReturnType<typeof identityOf>) {
  const named = { caip19, did, serialNumber: serial }
  const meaning: Partial<Record<string, string>> = {
    serialNumber: '0112/2///61987#ABA951#009',
  }
  return Object.entries(named).flatMap(([name, value]) => {
    if (value === undefined) return []
    const id = meaning[name]
    return [{ name, value, ...(id === undefined ? {} : { semanticId: external(id) }) }]
  })
}
