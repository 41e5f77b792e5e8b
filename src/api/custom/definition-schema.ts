/** The types of CustomResourceDefinitions. They are read as JSON alone, so the tables, which protobuf needs, do not have them. */
import type { OwnSchema } from '../schema/schema.ts';
import type { FieldRow, TypeRow } from '../schema/tables.ts';

const group = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';
const named = (name: string): string => `${group}.${name}`;

/** `name:type` or `name:type:flags` of each field, numbered as they stand. A type that begins with `.` is one of these. */
function type(text: string, more: Omit<TypeRow, 'fields'> = {}): TypeRow {
  const fields = text
    .trim()
    .split(/\s+/)
    .map((field, i): FieldRow => {
      const [name = '', kind = '', flags = ''] = field.split(':');
      return [name, i + 1, kind.replace(/^(\[\]|\{\})?\./, `$1${group}.`), flags];
    });
  return { ...more, fields };
}

const schemaProps = `
  id:string $schema:string $ref:string:z description:string type:string format:string title:string default:json maximum:double:z
  exclusiveMaximum:bool minimum:double:z exclusiveMinimum:bool maxLength:int64:z minLength:int64:z pattern:string maxItems:int64:z
  minItems:int64:z uniqueItems:bool multipleOf:double:z enum:[]json maxProperties:int64:z minProperties:int64:z required:[]string
  items:.JSONSchemaProps allOf:[].JSONSchemaProps oneOf:[].JSONSchemaProps anyOf:[].JSONSchemaProps not:.JSONSchemaProps
  properties:{}.JSONSchemaProps additionalProperties:json patternProperties:{}.JSONSchemaProps dependencies:json additionalItems:json
  definitions:{}.JSONSchemaProps externalDocs:.ExternalDocumentation example:json nullable:bool
  x-kubernetes-preserve-unknown-fields:bool:z x-kubernetes-embedded-resource:bool x-kubernetes-int-or-string:bool
  x-kubernetes-list-map-keys:[]string x-kubernetes-list-type:string:z x-kubernetes-map-type:string:z
  x-kubernetes-validations:[].ValidationRule`;

const types: Readonly<Record<string, TypeRow>> = {
  CustomResourceDefinition: type(
    'metadata:meta.v1.ObjectMeta spec:.CustomResourceDefinitionSpec:r status:.CustomResourceDefinitionStatus',
    {
      kind: true,
    },
  ),
  CustomResourceDefinitionList: type('metadata:meta.v1.ListMeta items:[].CustomResourceDefinition:r', { kind: true }),
  CustomResourceDefinitionSpec: type(`group:string:rz names:.CustomResourceDefinitionNames:r scope:string:rz
    versions:[].CustomResourceDefinitionVersion:r conversion:.CustomResourceConversion preserveUnknownFields:bool`),
  CustomResourceDefinitionNames: type(`plural:string:rz singular:string shortNames:[]string kind:string:rz listKind:string
    categories:[]string`),
  CustomResourceDefinitionVersion: type(`name:string:rz served:bool:rz storage:bool:rz deprecated:bool deprecationWarning:string:z
    schema:.CustomResourceValidation subresources:.CustomResourceSubresources
    additionalPrinterColumns:[].CustomResourceColumnDefinition selectableFields:[].SelectableField`),
  CustomResourceValidation: type('openAPIV3Schema:.JSONSchemaProps'),
  CustomResourceSubresources: type('status:.CustomResourceSubresourceStatus scale:.CustomResourceSubresourceScale'),
  CustomResourceSubresourceStatus: { fields: [] },
  CustomResourceSubresourceScale: type('specReplicasPath:string:rz statusReplicasPath:string:rz labelSelectorPath:string:z'),
  CustomResourceColumnDefinition: type('name:string:rz type:string:rz format:string description:string priority:int32 jsonPath:string:rz'),
  SelectableField: type('jsonPath:string:rz'),
  CustomResourceConversion: type('strategy:string:rz webhook:.WebhookConversion'),
  WebhookConversion: type('clientConfig:.WebhookClientConfig conversionReviewVersions:[]string:r'),
  WebhookClientConfig: type('url:string:z service:.ServiceReference caBundle:bytes'),
  ServiceReference: type('namespace:string:rz name:string:rz path:string:z port:int32:z'),
  CustomResourceDefinitionStatus: type(`conditions:[].CustomResourceDefinitionCondition:z
    acceptedNames:.CustomResourceDefinitionNames storedVersions:[]string:z observedGeneration:int64`),
  CustomResourceDefinitionCondition: type(`type:string:rz status:string:rz lastTransitionTime:time reason:string message:string
    observedGeneration:int64`),
  JSONSchemaProps: type(schemaProps),
  ValidationRule: type('rule:string:rz message:string messageExpression:string reason:string:z fieldPath:string optionalOldSelf:bool:z'),
  ExternalDocumentation: type('description:string url:string'),
};

/** What the entries of a list are known by. */
const listKeys: Readonly<Record<string, string>> = { conditions: 'type' };

function withMarks(row: TypeRow): TypeRow {
  const marked = ([name, number, kind, flags]: FieldRow): FieldRow => {
    const key = listKeys[name];
    return key === undefined ? [name, number, kind, flags] : [name, number, kind, flags, { listType: 'map', listKeys: [key] }];
  };
  return { ...row, fields: row.fields.map(marked) };
}

export const definitionSchema: OwnSchema = {
  type: named('CustomResourceDefinition'),
  types: Object.fromEntries(Object.entries(types).map(([name, row]) => [named(name), withMarks(row)])),
};
