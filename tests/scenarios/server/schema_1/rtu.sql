BEGIN TRANSACTION;
CREATE TABLE rtu_cell_states (
	file_id CHAR(32) NOT NULL, 
	cell_id VARCHAR(64) NOT NULL, 
	state VARCHAR(32) NOT NULL, 
	execution_id CHAR(32), 
	execution_count INTEGER, 
	cause TEXT, 
	PRIMARY KEY (file_id, cell_id)
);
INSERT INTO "rtu_cell_states" VALUES('426b8b0a07db4ca7bb77079551e682c1','a','finished_with_no_error','3778933d2c5446f1b446118996ba65f8',1,NULL);
CREATE TABLE rtu_collections (
	id CHAR(32) NOT NULL, 
	file_id CHAR(32) NOT NULL, 
	cell_id TEXT, 
	execution_id CHAR(32), 
	execution_count INTEGER, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "rtu_collections" VALUES('bcfbc67388a94484b0302423cb6fe89a','426b8b0a07db4ca7bb77079551e682c1','a','3778933d2c5446f1b446118996ba65f8',1,1.79551769793964219098e+09,1.79551769795827245715e+09);
CREATE TABLE rtu_deltas (
	file_id CHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	id CHAR(32) NOT NULL, 
	body TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	PRIMARY KEY (file_id, epoch, seq), 
	UNIQUE (file_id, id)
);
INSERT INTO "rtu_deltas" VALUES('426b8b0a07db4ca7bb77079551e682c1',0,1,'7ff49d71519645f2a8030932225bb7c1','{"id":"7ff49d71-5196-45f2-a803-0932225bb7c1","file_id":"426b8b0a-07db-4ca7-bb77-079551e682c1","delta_type":"nb_cells","delta_action":"add","resource_id":"__NULL_RESOURCE__","parent_delta_id":"00000000-0000-0000-0000-000000000000","properties":{"id":"a","cell":{"id":"a","source":"print(''hello'')","metadata":{},"cell_type":"code","execution_count":null,"outputs":[]},"after_id":null},"created_at":"2026-11-24T10:54:57.635052Z","created_by_id":"1d383e51-04ac-51a8-83e5-462bfff81614"}','2cc2e18a4a8a659e4029eaa11abba87d');
INSERT INTO "rtu_deltas" VALUES('426b8b0a07db4ca7bb77079551e682c1',0,2,'e6be9ee0b4fb4383a58f20b61b4b7bec','{"id":"e6be9ee0-b4fb-4383-a58f-20b61b4b7bec","file_id":"426b8b0a-07db-4ca7-bb77-079551e682c1","delta_type":"nb_cells","delta_action":"add","resource_id":"__NULL_RESOURCE__","parent_delta_id":"7ff49d71-5196-45f2-a803-0932225bb7c1","properties":{"id":"b","cell":{"id":"b","source":"x = 1","metadata":{},"cell_type":"code","execution_count":null,"outputs":[]},"after_id":null},"created_at":"2026-11-24T10:54:57.635811Z","created_by_id":"1d383e51-04ac-51a8-83e5-462bfff81614"}','81421fd82aae99a4e56a7eb7d923a768');
INSERT INTO "rtu_deltas" VALUES('426b8b0a07db4ca7bb77079551e682c1',0,3,'3778933d2c5446f1b446118996ba65f8','{"id":"3778933d-2c54-46f1-b446-118996ba65f8","file_id":"426b8b0a-07db-4ca7-bb77-079551e682c1","delta_type":"cell_execute","delta_action":"execute","resource_id":"a","parent_delta_id":"e6be9ee0-b4fb-4383-a58f-20b61b4b7bec","properties":null,"created_at":"2026-11-24T10:54:57.637768Z","created_by_id":"1d383e51-04ac-51a8-83e5-462bfff81614"}','3e12784335148830f887ee0be8d0da98');
INSERT INTO "rtu_deltas" VALUES('426b8b0a07db4ca7bb77079551e682c1',0,4,'6fbfc7146da44e6789f886c4b669a74e','{"id":"6fbfc714-6da4-4e67-89f8-86c4b669a74e","file_id":"426b8b0a-07db-4ca7-bb77-079551e682c1","delta_type":"cell_output_collection","delta_action":"replace","resource_id":"a","parent_delta_id":"3778933d-2c54-46f1-b446-118996ba65f8","properties":{"output_collection_id":"bcfbc673-88a9-4484-b030-2423cb6fe89a"},"created_at":"2026-11-24T10:54:57.943198Z","created_by_id":"1d383e51-04ac-51a8-83e5-462bfff81614"}','');
INSERT INTO "rtu_deltas" VALUES('426b8b0a07db4ca7bb77079551e682c1',0,5,'191e408aa6fb42b68a9e3adeaeb2ed42','{"id":"191e408a-a6fb-42b6-8a9e-3adeaeb2ed42","file_id":"426b8b0a-07db-4ca7-bb77-079551e682c1","delta_type":"cell_contents","delta_action":"replace","resource_id":"b","parent_delta_id":"6fbfc714-6da4-4e67-89f8-86c4b669a74e","properties":{"source":"x = 2"},"created_at":"2026-11-24T10:54:57.986926Z","created_by_id":"1d383e51-04ac-51a8-83e5-462bfff81614"}','9e8441ddfc2a6973c94f4020b4030449');
CREATE TABLE rtu_disk_bases (
	file_id CHAR(32) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (file_id)
);
INSERT INTO "rtu_disk_bases" VALUES('426b8b0a07db4ca7bb77079551e682c1','{"metadata": {}, "cells": [["b", "code", "x = 2", {}, ""], ["a", "code", "print(''hello'')", {}, "966cf7535fd1679922d3ce3c"]]}');
CREATE TABLE rtu_files (
	id CHAR(32) NOT NULL, 
	project_id CHAR(32) NOT NULL, 
	path TEXT NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	mimetype TEXT, 
	size INTEGER, 
	epoch INTEGER NOT NULL, 
	ready BOOLEAN NOT NULL, 
	disk_hash VARCHAR(64), 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	deleted_at FLOAT, 
	created_by_id CHAR(32), 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES rtu_projects (id)
);
INSERT INTO "rtu_files" VALUES('426b8b0a07db4ca7bb77079551e682c1','5fcf8ad50baf4b9e9c610577cf80e856','old.ipynb','notebook','application/x-ipynb+json',NULL,0,1,'429b8af32c0f6564fadbe84b70ccdf52d777316f4519f20950c63b8d1be1c77b',1.79551769746659755713e+09,1.79551769799239015583e+09,NULL,NULL);
CREATE TABLE rtu_invites (
	id CHAR(32) NOT NULL, 
	file_id CHAR(32) NOT NULL, 
	user_id CHAR(32) NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	name TEXT, 
	created_at FLOAT NOT NULL, 
	created_by_id CHAR(32) NOT NULL, 
	expires_at FLOAT NOT NULL, 
	revoked_at FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (user_id), 
	FOREIGN KEY(user_id) REFERENCES rtu_people (id)
);
CREATE TABLE rtu_meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "rtu_meta" VALUES('schema_version','3');
INSERT INTO "rtu_meta" VALUES('space_id','a4e56ece-cc32-4e8b-b035-7b512e04b68d');
INSERT INTO "rtu_meta" VALUES('project_id','5fcf8ad5-0baf-4b9e-9c61-0577cf80e856');
INSERT INTO "rtu_meta" VALUES('secret','db67115bda32d0b8e5efa774c771aec771fa157aadcd3a636115607815ffbca4');
CREATE TABLE rtu_output_chunks (
	output_id CHAR(32) NOT NULL, 
	n INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (output_id, n)
);
INSERT INTO "rtu_output_chunks" VALUES('c38ba438e6794b839c154e34a93eab79',0,'hello
');
CREATE TABLE rtu_outputs (
	id CHAR(32) NOT NULL, 
	collection_id CHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(collection_id) REFERENCES rtu_collections (id)
);
INSERT INTO "rtu_outputs" VALUES('c38ba438e6794b839c154e34a93eab79','bcfbc67388a94484b0302423cb6fe89a',0,'{"output_type": "stream", "name": "stdout", "text": ""}',1.79551769795591068274e+09,1.79551769795746922497e+09);
CREATE TABLE rtu_people (
	id CHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	handle TEXT NOT NULL, 
	name TEXT NOT NULL, 
	email TEXT, 
	created_at FLOAT NOT NULL, 
	last_seen_at FLOAT, 
	PRIMARY KEY (id)
);
CREATE TABLE rtu_projects (
	id CHAR(32) NOT NULL, 
	space_id CHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT, 
	directory TEXT NOT NULL, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	deleted_at FLOAT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(space_id) REFERENCES rtu_spaces (id)
);
INSERT INTO "rtu_projects" VALUES('5fcf8ad50baf4b9e9c610577cf80e856','a4e56ececc324e8bb0357b512e04b68d','root',NULL,'',1.7955176973201904297e+09,1.7955176973201904297e+09,NULL);
CREATE TABLE rtu_shares (
	resource VARCHAR(16) NOT NULL, 
	resource_id CHAR(32) NOT NULL, 
	user_id CHAR(32) NOT NULL, 
	access_level VARCHAR(32) NOT NULL, 
	visibility VARCHAR(16), 
	PRIMARY KEY (resource, resource_id, user_id)
);
CREATE TABLE rtu_spaces (
	id CHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT, 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	deleted_at FLOAT, 
	PRIMARY KEY (id)
);
INSERT INTO "rtu_spaces" VALUES('a4e56ececc324e8bb0357b512e04b68d','root',NULL,1.7955176973201904297e+09,1.7955176973201904297e+09,NULL);
CREATE TABLE rtu_spent_deltas (
	file_id CHAR(32) NOT NULL, 
	id CHAR(32) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	left_at FLOAT NOT NULL, 
	PRIMARY KEY (file_id, id)
);
CREATE TABLE rtu_uploads (
	id CHAR(32) NOT NULL, 
	file_id CHAR(32) NOT NULL, 
	etag VARCHAR(64), 
	created_at FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE rtu_versions (
	id CHAR(32) NOT NULL, 
	file_id CHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	seq INTEGER NOT NULL, 
	last_delta_id CHAR(32) NOT NULL, 
	name TEXT, 
	description TEXT, 
	automatic BOOLEAN NOT NULL, 
	reason VARCHAR(16) NOT NULL, 
	body BLOB NOT NULL, 
	deleted_cell_ids TEXT NOT NULL, 
	collection_ids TEXT, 
	created_at FLOAT NOT NULL, 
	created_by_id CHAR(32), 
	PRIMARY KEY (id), 
	UNIQUE (file_id, number)
);
INSERT INTO "rtu_versions" VALUES('a156222db6b64257925d240666be8258','426b8b0a07db4ca7bb77079551e682c1',0,0,0,'00000000000000000000000000000000',NULL,NULL,0,'upload',X'7B0A20226E62666F726D6174223A20342C0A20226E62666F726D61745F6D696E6F72223A20352C0A20226D65746164617461223A207B7D2C0A202263656C6C73223A205B5D0A7D','[]','[]',1.79551769747068977359e+09,NULL);
INSERT INTO "rtu_versions" VALUES('d8f1c98734b14a0e969321fe9314612a','426b8b0a07db4ca7bb77079551e682c1',1,0,4,'6fbfc7146da44e6789f886c4b669a74e','first',NULL,0,'save',X'7B0A20226E62666F726D6174223A20342C0A20226E62666F726D61745F6D696E6F72223A20352C0A20226D65746164617461223A207B7D2C0A202263656C6C73223A205B0A20207B0A202020226964223A202262222C0A20202022736F75726365223A202278203D2031222C0A202020226D65746164617461223A207B7D2C0A2020202263656C6C5F74797065223A2022636F6465222C0A20202022657865637574696F6E5F636F756E74223A206E756C6C2C0A202020226F757470757473223A205B5D0A20207D2C0A20207B0A202020226964223A202261222C0A20202022736F75726365223A20227072696E74282768656C6C6F2729222C0A202020226D65746164617461223A207B0A20202020226E6F746561626C65223A207B0A2020202020226F75747075745F636F6C6C656374696F6E5F6964223A202262636662633637332D383861392D343438342D623033302D323432336362366665383961220A202020207D0A2020207D2C0A2020202263656C6C5F74797065223A2022636F6465222C0A20202022657865637574696F6E5F636F756E74223A206E756C6C2C0A202020226F757470757473223A205B5D0A20207D0A205D0A7D','[]','["bcfbc673-88a9-4484-b030-2423cb6fe89a"]',1.7955176979839496613e+09,'1d383e5104ac51a883e5462bfff81614');
CREATE INDEX rtu_collections_by_cell ON rtu_collections (file_id, cell_id);
CREATE INDEX ix_rtu_uploads_file_id ON rtu_uploads (file_id);
CREATE INDEX ix_rtu_people_handle ON rtu_people (handle);
CREATE INDEX ix_rtu_outputs_collection_id ON rtu_outputs (collection_id);
CREATE INDEX ix_rtu_invites_file_id ON rtu_invites (file_id);
CREATE INDEX ix_rtu_files_path ON rtu_files (path);
COMMIT;
