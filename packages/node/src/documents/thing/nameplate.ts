import type { AasElement } from '@liquefy/client'
import { collection, external, property, words } from './aas-elements.ts'
import { identityOf } from './identity.ts'
import type { ThingInput } from './thing-input.ts'

/**
 * The submodel Digital Nameplate (IDTA 02006-3-0). The template asks for five elements; of these, what nobody has told the node has no value: an
 * element without a value says that it is not known.
 */
export function nameplate(id: string, { machine, deployment }: ThingInput): AasElement {
  const { id: uri, serial, manufacturer, model } = identityOf(machine, deployment)
  return {
    modelType: 'Submodel',
    id,
    idShort: 'Nameplate',
    kind: 'Instance',
    administration: {
      version: '3',
      revision: '0',
      templateId: 'https://admin-shell.io/idta-02006-3-0',
    },
    semanticId: external('https://admin-shell.io/idta/nameplate/3/0/Nameplate'),
    submodelElements: [
      property(
        'URIOfTheProduct',
        { id: '0112/2///61987#ABN590#002', others: ['0173-1#02-ABH173#003'] },
        'xs:anyURI',
        uri,
      ),
      words(
        'ManufacturerName',
        { id: '0112/2///61987#ABA565#009', others: ['0173-1#02-AAO677#004'] },
        manufacturer,
      ),
      words(
        'ManufacturerProductDesignation',
        { id: '0112/2///61987#ABA567#009', others: ['0173-1#02-AAW338#003'] },
        model,
      ),
      collection(
        'AddressInformation',
        {
          id: 'https://admin-shell.io/zvei/nameplate/1/0/ContactInformations/AddressInformation',
          others: [
            'https://admin-shell.io/smt-dropin/smt-dropin-use/1/0',
            '0112/2///61360_7#AAS002#001',
            '0173-1#02-AAQ837#008/0173-1#01-ADR448#008',
          ],
        },
        [],
      ),
      property(
        'OrderCodeOfManufacturer',
        { id: '0112/2///61987#ABA950#008', others: ['0173-1#02-AAO227#004'] },
        'xs:string',
      ),
      ...(serial === undefined
        ? []
        : [
            property(
              'SerialNumber',
              { id: '0112/2///61987#ABA951#009', others: ['0173-1#02-AAM556#004'] },
              'xs:string',
              serial,
            ),
          ]),
    ],
  }
}
